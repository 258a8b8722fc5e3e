/** The pages that are made, not written: `npm run docs` writes them, and a test holds that they are up to date. */
import { configJsonSchema, configReference } from '../../runtime/config/reference.ts'
import { rulesJsonSchema } from '../../rules/language/json-schema.ts'
import { scenarioJsonSchema } from '../../rules/scenario/schema.ts'
import { metricsPage } from './metrics-page.ts'

const json = (schema: unknown): string => `${JSON.stringify(schema, null, 2)}\n`

export const madePages = (): ReadonlyMap<string, string> =>
  new Map([
    ['docs/config.md', configReference()],
    ['docs/metrics.md', metricsPage()],
    ['docs/schema/config.schema.json', json(configJsonSchema())],
    ['docs/schema/rules.schema.json', json(rulesJsonSchema())],
    ['docs/schema/rule-tests.schema.json', json(scenarioJsonSchema())],
  ])
