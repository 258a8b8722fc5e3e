import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { entryDone, entryPassed, messageSent, openPlainWindow } from '../../runtime/replication/plain/plain-window.ts'
import { RefusedTopics } from '../../runtime/replication/plain/refused-topics.ts'
import { refusedTopicMs, refusedTopicsMax } from '../../runtime/replication/limits.ts'
import {
  acknowledged,
  aloneNow,
  hungUp,
  noSuspicion,
  proven,
  type Suspicion,
} from '../../runtime/replication/plain/suspicion.ts'
import { asSeq, seqZero } from '../../runtime/store/types.ts'

describe('the window to a plain broker', () => {
  it('confirms what is done without a hole, in whatever order answers come, and forgets the rest of nothing', () => {
    const step = fc.record({ passes: fc.boolean(), answers: fc.nat(3), pick: fc.nat() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        let window = openPlainWindow(seqZero)
        const isDone: boolean[] = []
        const waiting: number[] = []
        for (const { passes, answers, pick } of steps) {
          const seq = asSeq(isDone.length + 1)
          window = passes ? entryPassed(window, seq) : messageSent(window, seq)
          isDone.push(passes)
          if (!passes) waiting.push(seq)
          for (let count = 0; count < answers && waiting.length > 0; count++) {
            const [answered = 0] = waiting.splice(pick % waiting.length, 1)
            window = entryDone(window, asSeq(answered))
            isDone[answered - 1] = true
          }
          const hole = isDone.indexOf(false)
          assert.equal(window.confirmed, hole === -1 ? isDone.length : hole)
          assert.equal(window.waiting, waiting.length)
          assert.equal(window.scanned, isDone.length)
          assert.ok(window.flying.length <= 2 * window.waiting, 'a run of entries without a message takes one place')
        }
      }),
    )
  })

  it('changes nothing for an answer to an entry that is not on its way', () => {
    const window = messageSent(openPlainWindow(asSeq(4)), asSeq(5))
    assert.deepEqual(entryDone(window, asSeq(9)), window)
    assert.equal(entryDone(window, asSeq(5)).confirmed, 5)
  })
})

describe('the search for the message over which a broker hangs up', () => {
  const message = (seq: number) => ({ table: 'readings', seq })

  it('condemns what is acknowledged and followed by the end, the fourth time, the last two of them alone and in peace', () => {
    let suspicion: Suspicion = noSuspicion
    const peace: (number | undefined)[] = []
    for (let time = 1; time <= 3; time++) {
      const { after, condemned } = hungUp(acknowledged(suspicion, message(7)), message(8))
      assert.equal(condemned, undefined)
      suspicion = after
      peace.push(aloneNow(suspicion)?.peaceMs)
    }
    assert.deepEqual(peace, [undefined, 1_000, 2_000])
    const { condemned, after } = hungUp(acknowledged(suspicion, message(7)), message(8))
    assert.deepEqual([condemned, after], [{ ...message(7), wasAcknowledged: true }, noSuspicion])
  })

  it('takes longer over what was not even acknowledged', () => {
    let suspicion: Suspicion = noSuspicion
    for (let time = 1; time <= 5; time++) suspicion = hungUp(suspicion, message(7)).after
    assert.deepEqual(hungUp(suspicion, message(7)).condemned, { ...message(7), wasAcknowledged: false })
  })

  it('lets go of a suspect over which a connection has not ended', () => {
    let suspicion = hungUp(acknowledged(noSuspicion, message(7)), undefined).after
    suspicion = hungUp(acknowledged(suspicion, message(7)), undefined).after
    assert.equal(aloneNow(suspicion)?.seq, 7)
    assert.equal(proven(acknowledged(suspicion, message(7))).suspect, undefined)
  })

  it('learns nothing from a connection that ended before anything was sent, or by our own hand', () => {
    const before = hungUp(noSuspicion, message(7)).after
    assert.deepEqual(hungUp(before, undefined), { after: before, condemned: undefined })
  })

  it('suspects afresh when another message is the last one', () => {
    let suspicion: Suspicion = noSuspicion
    for (let seq = 1; seq <= 50; seq++) {
      const { after, condemned } = hungUp(acknowledged(suspicion, message(seq)), undefined)
      assert.deepEqual([condemned, after.suspect?.times], [undefined, 1])
      suspicion = after
    }
  })
})

describe('refused topics', () => {
  it('are left alone for a while, each by itself, and as many as are remembered', () => {
    const topics = new RefusedTopics()
    topics.refuse('a', 'not authorised', 1_000)
    assert.equal(topics.reasonFor('a', 1_000 + refusedTopicMs - 1), 'not authorised')
    assert.equal(topics.reasonFor('b', 1_000), undefined)
    assert.equal(topics.reasonFor('a', 1_000 + refusedTopicMs), undefined)
    for (let count = 0; count <= refusedTopicsMax; count++) topics.refuse(`t${count}`, 'no', 0)
    assert.equal(topics.reasonFor('t0', 1), undefined)
    assert.equal(topics.reasonFor('t1', 1), 'no')
  })
})
