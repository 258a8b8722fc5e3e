/** MQTT 3.1.1, statement by statement, on each of the two engines. */
import { describe, test } from 'node:test'
import { cases } from './conformance-cases.ts'
import { openRig } from './rig.ts'
import { playSequence } from './sequence.ts'

for (const mqtt5 of [false, true]) {
  describe(`with mqtt5: ${mqtt5}`, { concurrency: true }, () => {
    for (const { about, sequence } of cases) {
      test(about, { timeout: 10_000 }, async t => {
        const { port } = await openRig(t, {}, undefined, { mqtt5 })
        await playSequence(t, port, sequence)
      })
    }
  })
}
