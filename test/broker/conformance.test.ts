/** MQTT, statement by statement: 3.1.1 on each of the two engines, 5 on the one that speaks it. */
import { describe, test } from 'node:test'
import { type Case, cases } from './conformance-cases.ts'
import { cases5 } from './conformance5-cases.ts'
import { access, openRig } from './rig.ts'
import { playSequence } from './sequence.ts'

const suites: readonly (readonly [name: string, mqtt5: boolean, cases: readonly Case[]])[] = [
  ['MQTT 3.1.1 with mqtt5: false', false, cases],
  ['MQTT 3.1.1 with mqtt5: true', true, cases],
  ['MQTT 5', true, cases5],
]
const allowed = access(() => ({ mayPublish: topic => !topic.startsWith('forbidden/') }))

for (const [name, mqtt5, those] of suites) {
  describe(name, { concurrency: true }, () => {
    for (const { about, sequence } of those) {
      test(about, { timeout: 10_000 }, async t => {
        const { port } = await openRig(t, {}, allowed, { mqtt5 })
        await playSequence(t, port, sequence)
      })
    }
  })
}
