/** The form of an action: what a rule does at the gateway itself when it fires or resolves, without any cloud. */
import { z } from 'zod'
import type { Json } from '../../runtime/reading.ts'
import {
  actionCharactersMax,
  actionsMax,
  nameCharactersMax,
  repeatMsMax,
  repeatMsMin,
  topicCharactersMax,
} from '../limits.ts'
import { duration, tableName } from './values.ts'

const publishWords = 'publish: { topic: plant/siren/set, payload: "ON" }'
const writeWords = 'write: { table: orders, key: "{{ $device }}", row: { state: "{{ $state }}" } }'

/** Anything that JSON can carry, and of a size that belongs into a rule file. */
const json = z
  .json({ error: 'a text, a number, or keys with values' })
  .refine(value => JSON.stringify(value).length <= actionCharactersMax, {
    error: `longer than ${actionCharactersMax} characters`,
  }) as z.ZodType<Json>

const publish = z.strictObject(
  {
    topic: z
      .string({ error: 'the topic to publish to, such as plant/siren/set' })
      .min(1, { error: 'empty; write the topic to publish to, such as plant/siren/set' })
      .max(topicCharactersMax, { error: `longer than ${topicCharactersMax} characters` })
      .describe('Where to publish, with variables such as {{ $device }}; never below holdfast/.'),
    payload: json
      .optional()
      .describe('A text, sent as it is, or anything else, sent as JSON; with variables. Default "{{ $state }}".'),
    qos: z
      .union([z.literal(0), z.literal(1), z.literal(2)], { error: '0, 1 or 2' })
      .optional()
      .describe('Quality of service; default 1.'),
    retain: z
      .boolean({ error: 'true or false' })
      .optional()
      .describe('Whether the broker keeps it for devices that connect later; default false.'),
  },
  { error: `keys with values: ${publishWords}` },
)

const write = z.strictObject(
  {
    table: tableName.describe('The records table to write to.'),
    key: z
      .string({ error: 'the key of the row; put quotes around numbers' })
      .min(1, { error: 'empty; write the key of the row' })
      .max(nameCharactersMax, { error: `longer than ${nameCharactersMax} characters` })
      .describe('The row to write, with variables such as {{ $device }}.'),
    row: json.describe('What the row says; texts in it may hold variables such as {{ $value }}.'),
  },
  { error: `keys with values: ${writeWords}` },
)

const occasion = z.enum(['firing', 'resolved'], { error: 'firing or resolved' })

const action = z.strictObject(
  {
    publish: publish.optional().describe('Sends a message on the local broker: switches a relay, a lamp, a siren.'),
    write: write.optional().describe('Writes a row of a records table.'),
    on: z
      .union([occasion, z.array(occasion).min(1, { error: 'at least one of firing and resolved' })], {
        error: 'firing, resolved, or [firing, resolved]',
      })
      .optional()
      .describe('When it is done; default firing.'),
    repeat: duration({ min: repeatMsMin, max: repeatMsMax })
      .optional()
      .describe('Done again so often while the alert fires; default once.'),
  },
  { error: `an action, such as ${publishWords}` },
)

export const actions = z
  .array(action, { error: `a list of actions, such as - ${publishWords}` })
  .max(actionsMax, { error: `at most ${actionsMax} actions` })

export type ActionEntry = z.infer<typeof action>
