import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Breaker, graceMs } from '../../runtime/replication/link/breaker.ts'

/** A broker that acknowledges everything, and closes in good order after a publish to one of the `bad` topics. */
class Town {
  nowMs = 0
  readonly denied: string[] = []
  readonly allowed: string[] = []
  readonly bad = new Set<string>()
  ends = 0
  readonly breaker = new Breaker({
    onDenied: topic => this.denied.push(topic),
    onAllowed: topic => this.allowed.push(topic),
  })

  /** One connection on which all that may be sent is sent, in this order, until it ends or nothing is left. */
  connect(topics: readonly string[], lifeMs = Number.POSITIVE_INFINITY): string[] {
    const sent: string[] = []
    const endMs = this.nowMs + lifeMs
    this.breaker.began(this.nowMs)
    for (let left = [...topics]; left.length > 0; this.breaker.tick(this.nowMs)) {
      for (const topic of left.slice()) {
        const permission = this.breaker.permission(topic, this.nowMs, true)
        if (permission !== 'later') left = left.filter(one => one !== topic)
        if (permission !== 'now') continue
        this.breaker.published(topic, this.nowMs)
        sent.push(topic)
        this.breaker.acknowledged(topic, undefined, this.nowMs)
      }
      this.nowMs += 10
      if (this.nowMs > endMs || sent.some(topic => this.bad.has(topic))) {
        this.ends++
        this.breaker.closed(true, this.nowMs)
        return sent
      }
      const dueInMs = this.breaker.dueInMs(this.nowMs)
      assert.ok(left.length === 0 || dueInMs !== undefined, 'a topic waits for ever')
      this.nowMs = Math.min(this.nowMs + (dueInMs ?? graceMs), endMs + 1)
    }
    return sent
  }
}

const topics = ['hello', 'alerts', 'readings', 'position']

describe('the breaker', () => {
  it('finds the one topic after which the broker closes, and the others go on', () => {
    const town = new Town()
    town.bad.add('readings')
    for (let round = 0; round < 6; round++) town.connect(topics)
    assert.deepEqual([town.denied, town.ends], [['readings'], 5])
    assert.deepEqual(town.connect(topics), ['hello', 'alerts', 'position'])
    const [status] = town.breaker.status(town.nowMs)
    assert.match(status?.reason ?? '', /let this user write to readings in the broker's access rules/)
    assert.ok((status?.nextTryInMs ?? 0) > 40_000)
  })

  it('tries a denied topic again after pauses that grow, alone, and takes it back when it is let through', () => {
    const town = new Town()
    town.bad.add('readings')
    for (let round = 0; round < 6; round++) town.connect(topics)
    const pauses: number[] = []
    for (let times = 0; times < 8; times++) {
      const pauseMs = town.breaker.status(town.nowMs)[0]?.nextTryInMs ?? 0
      pauses.push(Math.round(pauseMs / 60_000))
      town.breaker.settled()
      town.nowMs += pauseMs
      assert.ok(town.connect(topics).includes('readings'))
    }
    assert.deepEqual(pauses, [1, 2, 4, 8, 16, 32, 60, 60])
    town.bad.clear()
    town.nowMs += 3_600_000
    town.connect(topics)
    town.nowMs += graceMs
    town.breaker.tick(town.nowMs)
    assert.deepEqual([town.denied, town.allowed, town.breaker.status(town.nowMs)], [['readings'], ['readings'], []])
  })

  it('believes a reason code at once', () => {
    const town = new Town()
    town.breaker.published('readings', 0)
    town.breaker.acknowledged('readings', 135, 1)
    assert.deepEqual(
      [town.breaker.permission('readings', 2, true), town.breaker.permission('alerts', 2, true)],
      ['never', 'now'],
    )
  })

  it('blames no topic for a link that is cut again and again, whatever its lives are', () => {
    const lives = fc.array(fc.oneof(fc.integer({ min: 1, max: 900 }), fc.integer({ min: 1_400, max: 1_900 })))
    fc.assert(
      fc.property(lives, lifeMs => {
        const town = new Town()
        for (const ms of lifeMs) town.connect(topics, ms)
        assert.deepEqual(town.denied, [])
      }),
    )
  })

  it('blames no topic for a link that breaks right after each publish, again and again', () => {
    const town = new Town()
    for (let round = 0; round < 50; round++) {
      town.breaker.began(town.nowMs)
      town.nowMs += 1_000
      if (town.breaker.permission('hello', town.nowMs, true) === 'now') town.breaker.published('hello', town.nowMs)
      town.breaker.closed(false, (town.nowMs += 5))
    }
    assert.deepEqual(town.denied, [])
  })

  it('takes the word of the hub: what it answered is no suspect', () => {
    const town = new Town()
    for (let round = 0; round < 50; round++) {
      town.breaker.began(town.nowMs)
      assert.equal(town.breaker.permission('hello', town.nowMs, true), 'now')
      town.breaker.published('hello', town.nowMs)
      town.breaker.answered('hello')
      town.breaker.closed(true, (town.nowMs += 5))
    }
    assert.deepEqual(town.denied, [])
  })

  it('waits with a trial until nothing is on its way, and everything waits for the trial', () => {
    const town = new Town()
    town.bad.add('bad')
    for (let round = 0; round < 2; round++) town.connect(['bad'])
    town.breaker.began(town.nowMs)
    town.nowMs += graceMs
    const may = (topic: string, isIdle: boolean): string => town.breaker.permission(topic, town.nowMs, isIdle)
    town.breaker.answered('good')
    assert.deepEqual(
      [may('good', false), may('bad', false), may('good', false), may('bad', true)],
      ['now', 'later', 'later', 'now'],
    )
    town.breaker.published('bad', town.nowMs)
    assert.deepEqual([may('good', true), town.breaker.dueInMs(town.nowMs)], ['later', 5_000])
    town.nowMs += 5_000
    town.breaker.tick(town.nowMs)
    assert.equal(may('good', true), 'now')
  })

  it('lets everything through between cuts, so that a bad link still moves', () => {
    const town = new Town()
    const sent = new Set<string>()
    for (let round = 0; round < 3; round++) for (const topic of town.connect(topics, 200)) sent.add(topic)
    assert.deepEqual([...sent], topics)
  })

  it('denies every bad topic and no good one, whichever they are and in whatever order they come', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(topics, { minLength: 4 }), fc.subarray(topics), (order, bad) => {
        const town = new Town()
        for (const topic of bad) town.bad.add(topic)
        for (let round = 0; round < 20; round++) town.connect(order)
        assert.deepEqual(new Set(town.denied), new Set(bad))
        assert.ok(town.ends <= 2 + 3 * bad.length)
      }),
    )
  })
})
