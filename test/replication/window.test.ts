import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { windowFramesMax } from '../../runtime/replication/limits.ts'
import {
  type Window,
  answered,
  frameSent,
  isStalled,
  openWindow,
  passedOver,
  settled,
  slowed,
} from '../../runtime/replication/send/window.ts'
import { type Seq, asSeq, seqZero } from '../../runtime/store/types.ts'

const opened = (position = 0, floor = 0): Window => openWindow(1, asSeq(position), asSeq(floor), 0)
const send = (window: Window, last: number): Window => frameSent(window, { last: asSeq(last), bytes: 10 }, 0)
const answer = (window: Window, seq: number, wanted?: number, run = window.run): Window =>
  answered(window, { run, seq: asSeq(seq), wanted: wanted === undefined ? undefined : asSeq(wanted) }, 0)

type Frame = { run: number; after: Seq; last: Seq }
type Answer = { run: number; seq: Seq; wanted: Seq | undefined }

/** What receiver.ts does, in its plainest form: applies what fits, answers with its position. */
class Far {
  position = seqZero
  run = 0
  readonly applied: number[] = []

  take(frame: Frame): Answer {
    this.run = Math.max(this.run, frame.run)
    if (frame.after > this.position) return { run: this.run, seq: this.position, wanted: this.position }
    for (let seq = this.position + 1; seq <= frame.last; seq++) this.applied.push(seq)
    if (frame.last > this.position) this.position = frame.last
    return { run: this.run, seq: this.position, wanted: undefined }
  }
}

describe('the window', () => {
  it('brings every entry across once and in order, whatever is lost, repeated or reordered', () => {
    const fate = fc.constantFrom('deliver', 'deliver', 'deliver', 'lose', 'repeat', 'delay')
    const step = fc.record({ act: fc.constantFrom('send', 'send', 'frame', 'answer', 'ask'), fate, pick: fc.nat(7) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.integer({ min: 1, max: 60 }), (steps, head) => {
        const far = new Far()
        let window = opened()
        let frames: Frame[] = []
        let answers: Answer[] = []
        let confirmed = 0
        const sendOne = (): void => {
          if (window.flying.length >= window.framesMax || window.scanned >= head) return
          const last = asSeq(Math.min(window.scanned + 3, head))
          frames.push({ run: window.run, after: window.sent, last })
          window = send(window, last)
        }
        const hear = (one: Answer): void => {
          window = answered(window, one, 0)
          assert.ok(
            window.confirmed >= confirmed && window.confirmed <= far.position,
            'confirmed what the far side has',
          )
          assert.ok(window.confirmed <= window.sent && window.sent <= window.scanned && window.scanned <= head)
          confirmed = window.confirmed
        }
        const ask = (): void => {
          window = slowed(window, 0)
          far.run = Math.max(far.run, window.run)
          answers.push({ run: far.run, seq: far.position, wanted: far.position })
        }
        const carry = <T>(queue: T[], fate: string, pick: number, deliver: (one: T) => void): T[] => {
          const at = fate === 'delay' ? pick % Math.max(queue.length, 1) : 0
          const one = queue[at]
          if (one === undefined) return queue
          if (fate !== 'lose') deliver(one)
          return fate === 'repeat' ? queue : queue.filter(other => other !== one)
        }
        for (const { act, fate, pick } of steps) {
          if (act === 'send') sendOne()
          else if (act === 'frame') frames = carry(frames, fate, pick, frame => answers.push(far.take(frame)))
          else if (act === 'answer') answers = carry(answers, fate, pick, hear)
          else ask()
        }
        // From here on the link is good: everything must arrive.
        for (let round = 0; round < 200 && window.confirmed < head; round++) {
          sendOne()
          frames = carry(frames, 'deliver', 0, frame => answers.push(far.take(frame)))
          answers = carry(answers, 'deliver', 0, hear)
          if (frames.length === 0 && answers.length === 0 && window.confirmed < window.sent) ask()
        }
        assert.equal(window.confirmed, head)
        assert.deepEqual(
          far.applied,
          Array.from({ length: head }, (_, index) => index + 1),
        )
      }),
      { numRuns: 500 },
    )
  })

  it('goes back once, however many answers tell of the same loss', () => {
    let window = [3, 6, 9, 12].reduce(send, opened())
    window = answer(window, 3)
    const late = window.run
    window = answer(window, 3, 3)
    assert.deepEqual([window.run, window.sent, window.flying.length], [2, 3, 0])
    window = send(window, 6)
    assert.equal(answer(window, 3, 3, late), window)
  })

  it('does not go back when everything that was sent has arrived and only waits to be stored', () => {
    const window = [3, 6].reduce(send, opened())
    assert.equal(answer(window, 0, 6), window)
  })

  it('believes an answer about frames of an earlier run', () => {
    let window = [3, 6, 9].reduce(send, opened())
    window = answer(window, 0, 0)
    window = send(window, 3)
    window = answer(window, 9, undefined, 1)
    assert.deepEqual([window.confirmed, window.sent, window.scanned, window.flying.length], [9, 9, 9, 0])
  })

  it('never sends what lies before the start of a stream that began late', () => {
    const window = opened(0, 50)
    assert.deepEqual([window.sent, window.scanned], [0, 50])
    const back = answer(send(window, 60), 0, 0)
    assert.deepEqual([back.sent, back.scanned], [0, 50])
  })

  it('lets the cursor pass what was passed over, but only once nothing before it is in flight', () => {
    const flying = passedOver(send(opened(), 5), asSeq(20))
    assert.equal(settled(flying), 0)
    assert.equal(settled(answer(flying, 5)), 20)
  })

  it('is stalled when something waits for an answer and none comes, and then sends one frame at a time', () => {
    const idle = opened()
    assert.equal(isStalled(idle, 10_000, 1e9), false)
    let window = frameSent(idle, { last: asSeq(5), bytes: 1 }, 1_000)
    assert.equal(isStalled(window, 10_000, 10_999), false)
    assert.equal(isStalled(window, 10_000, 11_000), true)
    window = slowed(window, 11_000)
    assert.equal(window.framesMax, 1)
    assert.equal(isStalled(window, 10_000, 20_999), false)
    const rates: number[] = []
    for (let last = 6; last < 12; last++) {
      window = answer(send(window, last), last)
      rates.push(window.framesMax)
    }
    assert.deepEqual(rates.slice(0, 4), [2, 4, windowFramesMax, windowFramesMax])
  })
})
