/**
 * The JSON Schema of rule files: lets an editor complete keys, show what each means, and underline most mistakes while they
 * are typed. Made from the same schema that the gateway reads with, and from the list of keys that belong to alerts alone;
 * what needs more than one rule, or an expression, only `holdfast check` knows.
 */
import { z } from 'zod'
import { alertKeys, rulesSchema, ruleSchema } from './schema.ts'

/** Draft 2020-12, for `# yaml-language-server: $schema=…` at the head of a rule file. */
export function rulesJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(rulesSchema, {
    target: 'draft-2020-12',
    io: 'input',
    override({ zodSchema, jsonSchema }) {
      const properties = jsonSchema.properties ?? {}
      for (const [key, value] of Object.entries(properties)) {
        if (typeof value === 'object' && value.not !== undefined) delete properties[key]
      }
      if (zodSchema === ruleSchema) jsonSchema.oneOf = [alert, recording]
    },
  })
  return { ...schema, title: 'Holdfast rules', description: 'Alert rules and recording rules of a Holdfast gateway.' }
}

const without = (keys: readonly string[]): z.core.JSONSchema.BaseSchema => ({
  not: { anyOf: keys.map(key => ({ required: [key] })) },
})

const alert: z.core.JSONSchema.BaseSchema = {
  title: 'An alert',
  required: ['alert'],
  oneOf: [
    { anyOf: ['above', 'below', 'expr'].map(key => ({ required: [key] })), ...without(['absent']) },
    { required: ['absent'], ...without(['above', 'below', 'expr', 'clear', 'interval', 'schedule']) },
  ],
  allOf: [without(['record', 'into']), { not: { required: ['interval', 'schedule'] } }],
}

const recording: z.core.JSONSchema.BaseSchema = {
  title: 'A recording',
  required: ['record', 'expr'],
  allOf: [without(['alert', ...alertKeys]), { not: { required: ['interval', 'schedule'] } }],
}
