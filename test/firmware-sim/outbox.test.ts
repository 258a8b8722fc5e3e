import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { createOutbox } from '../../firmware-sim/outbox.ts'

type Step = 'put' | 'take' | 'deliver-first' | 'deliver-last' | 'lose'

test('whatever happens, an outbox keeps its bounds, loses nothing it took, and sends the oldest first', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom<Step>('put', 'put', 'take', 'take', 'deliver-first', 'deliver-last', 'lose'), {
        maxLength: 200,
      }),
      steps => {
        const outbox = createOutbox<{ number: number }>({ windowMax: 3, outboxMax: 7 })
        let number = 0
        let kept: number[] = []
        let away: { number: number }[] = []
        for (const step of steps) {
          if (step === 'put') {
            const room = kept.length < 7
            assert.equal(outbox.put({ number: ++number }), room)
            if (room) kept.push(number)
          } else if (step === 'take') {
            const expected = away.length < 3 ? kept.find(each => !away.some(one => one.number === each)) : undefined
            const message = outbox.take()
            assert.equal(message?.number, expected)
            if (message) away.push(message)
          } else if (step === 'lose') {
            outbox.connectionLost(() => true)
            away = []
          } else {
            const message = step === 'deliver-first' ? away.shift() : away.pop()
            if (message) outbox.delivered(message)
            kept = kept.filter(each => each !== message?.number)
          }
          assert.equal(outbox.size(), kept.length)
          assert.equal(outbox.onTheirWay(), away.length)
          assert.deepEqual(
            outbox.all().map(message => message.number),
            kept,
          )
        }
      },
    ),
  )
})

test('what need not go again is forgotten with its connection', () => {
  const outbox = createOutbox<{ qos: number }>({ windowMax: 5, outboxMax: 5 })
  for (const qos of [0, 1, 0, 2]) outbox.put({ qos })
  for (let count = 0; count < 3; count++) outbox.take()
  outbox.connectionLost(message => message.qos > 0)
  assert.deepEqual(outbox.all(), [{ qos: 1 }, { qos: 2 }])
})
