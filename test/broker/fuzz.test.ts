/** A short form of the fuzzing that `npm run campaign:broker -- --only fuzz` does by the million [A6, A8, A11]. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fuzz } from './fuzz.ts'

const timeout = 60_000
const seed = 20_261_123

for (const mqtt5 of [false, true]) {
  const engine = mqtt5 ? 'MQTT 5' : 'MQTT 3.1.1'
  test(`thousands of mutated packets break nothing and cost an honest client nothing [A6, A11], with ${engine}`, {
    timeout,
  }, async () => {
    const { problems, packets, honest } = await fuzz({ seed, packets: 4_000, atOnce: 16, mqtt5 })
    assert.deepEqual(problems, [])
    assert.ok(packets >= 4_000 && honest > 0)
  })

  test(`every connection that the broker ends over mutated packets is counted by its cause, with ${engine}`, {
    timeout,
  }, async () => {
    const { problems } = await fuzz({ seed, packets: 1_000, atOnce: 1, mqtt5 })
    assert.deepEqual(problems, [])
  })
}
