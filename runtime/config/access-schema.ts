/** Who may come to the broker of the LAN, and do what: roles and their patterns, as written. Part of the schema. Pure. */
import { z } from 'zod'
import { filePath, withWords, words } from './values.ts'

export type Role = {
  readonly publish: readonly string[]
  readonly subscribe: readonly string[]
  /** Undefined: of any. */
  readonly devices: readonly string[] | undefined
}

/** A role of the configuration with one of these names takes its place. */
export const builtInRoles: Readonly<Record<string, Role>> = {
  device: { publish: ['sensors/{user}/#'], subscribe: ['commands/{user}/#'], devices: ['{user}'] },
  reader: { publish: [], subscribe: ['#'], devices: undefined },
  admin: { publish: ['#'], subscribe: ['#', '$SYS/#'], devices: undefined },
}

const rolesMax = 64
const patternsMax = 64
const patternBytesMax = 256

/** Why this is no pattern, or undefined. */
function patternFault(text: string): string | undefined {
  if (text === '' || Buffer.byteLength(text) > patternBytesMax) return `a pattern has 1 to ${patternBytesMax} bytes`
  const levels = text.split('/')
  for (const [index, level] of levels.entries()) {
    if (level === '#' && index < levels.length - 1) return '# stands for all the rest: it must be the last level'
    if (level !== '#' && level.includes('#')) return '# must be a level of its own, as in sensors/#'
    if (level !== '+' && level.includes('+')) return '+ must be a level of its own, as in sensors/+/temperature'
    if (/[{}]/.test(level) && level !== '{user}' && level !== '{client}') {
      return 'only {user} and {client} stand for something, each as a level of its own'
    }
  }
  return undefined
}

const pattern = z.string().superRefine((text, context) => {
  const message = patternFault(text)
  if (message !== undefined) context.addIssue({ code: 'custom', message })
})
words.add(pattern, { type: 'topic pattern' })

const publishPattern = pattern.superRefine((text, context) => {
  if (text.startsWith('$'))
    context.addIssue({ code: 'custom', message: 'nobody may publish to topics that begin with $' })
})

const subscribePattern = pattern.superRefine((text, context) => {
  if (!text.startsWith('$') || text === '$SYS' || text.startsWith('$SYS/')) return
  context.addIssue({ code: 'custom', message: 'of the topics that begin with $ there are only those of $SYS/' })
})

const devicePattern = z
  .string()
  .min(1, 'may not be empty')
  .max(256, 'has at most 256 characters')
  .refine(
    text => !/[{}]/.test(text.replaceAll(/\{user\}|\{client\}/g, '')),
    'only {user} and {client} stand for something',
  )
words.add(devicePattern, { type: 'name of a device, * for any characters' })

const role = z.strictObject({
  publish: withWords(z.array(publishPattern).max(patternsMax).default([]), { fallback: 'nothing' }).describe(
    'Topics that it may publish to, wills included.',
  ),
  subscribe: withWords(z.array(subscribePattern).max(patternsMax).default([]), { fallback: 'nothing' }).describe(
    'Topics that it may receive: a subscription is taken if these allow all that it can match. $SYS only where it is written.',
  ),
  devices: withWords(z.array(devicePattern).max(patternsMax).optional(), { fallback: 'any' }).describe(
    'Devices that its readings may be of; a message with another is a row of rejects.',
  ),
})

const roleName = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,63}$/, 'the name of a role has small letters, digits, _ or -, and begins with a letter')
words.add(roleName, { type: 'role name' })

export const accessKeys = {
  users_file: withWords(filePath.optional(), { fallback: '<store.path>/users' }).describe(
    'The users and the hashes of their passwords; `holdfast user` writes it, and it is read again when it changes.',
  ),
  roles: z
    .record(roleName, role)
    .refine(roles => Object.keys(roles).length <= rolesMax, `at most ${rolesMax} roles`)
    .prefault({})
    .describe(
      'What users may do, by the name of a role. In patterns + is any level, a last # is all the rest, {user} and {client} are the names of the client. device, reader and admin are there unless they are written here.',
    ),
  anonymous: withWords(roleName.optional(), { fallback: 'nobody' }).describe(
    'The role of clients that name no user; without it they are not let in, once there are users.',
  ),
}
