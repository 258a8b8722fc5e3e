/** The pure pieces of the limits: their time is an argument. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { addressKey } from '../../runtime/broker/addresses.ts'
import { type BackoffRule, afterFailure, isForgotten, none, waitMs } from '../../runtime/broker/backoff.ts'
import { Bucket } from '../../runtime/broker/rate.ts'
import { Remembered } from '../../runtime/broker/remembered.ts'

test('a bucket never gives more than its burst and what its rate has brought since', () => {
  const asks = fc.array(fc.record({ afterMs: fc.nat(5_000), count: fc.integer({ min: 1, max: 20 }) }))
  fc.assert(
    fc.property(asks, fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 50 }), (asked, perSecond, burst) => {
      let nowMs = 0
      const bucket = new Bucket({ perSecond, burst }, nowMs)
      let given = 0
      for (const { afterMs, count } of asked) {
        nowMs += afterMs
        if (bucket.tryTake(count, nowMs)) given += count
        assert.ok(given <= burst + (nowMs * perSecond) / 1_000 + 1e-6)
      }
    }),
  )
})

test('whoever waits as long as a bucket says may take again, and not before', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: 5_000 }), (perSecond, taken) => {
      const bucket = new Bucket({ perSecond, burst: 10 }, 0)
      bucket.take(taken)
      const wait = bucket.waitMs(() => 0)
      assert.equal(wait > 0, taken >= 10)
      if (wait > 1) assert.equal(bucket.tryTake(1, wait - 1), false)
      assert.equal(bucket.waitMs(() => wait) === 0, true)
    }),
  )
})

const rule: BackoffRule = { free: 3, firstMs: 1_000, msMax: 60_000, perSecond: 0, memoryMs: 600_000 }

test('waits for failures double up to the longest, and are forgotten', () => {
  let failures = none
  const waits = Array.from({ length: 12 }, () => {
    failures = afterFailure(failures, rule, failures.untilMs)
    return waitMs(failures, failures.atMs)
  })
  assert.deepEqual(waits, [0, 0, 0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
  const lateMs = failures.untilMs + rule.memoryMs
  assert.equal(isForgotten(failures, rule, lateMs), false)
  assert.equal(isForgotten(failures, rule, lateMs + 1), true)
  assert.equal(waitMs(afterFailure(failures, rule, lateMs + 1), lateMs + 1), 0)
})

test('where failures run out with time, a few are never waited for, and many never come faster than they run out', () => {
  const leaky: BackoffRule = { ...rule, free: 10, perSecond: 10 / 60 }
  let failures = none
  let nowMs = 0
  let slow = 0
  // One a minute, for an hour.
  for (let i = 0; i < 60; i++) {
    failures = afterFailure(failures, leaky, nowMs)
    slow += waitMs(failures, nowMs)
    nowMs += 60_000
  }
  assert.equal(slow, 0)
  let tries = 0
  const endMs = nowMs + 3_600_000
  while (nowMs < endMs) {
    failures = afterFailure(failures, leaky, nowMs)
    tries += 1
    nowMs += Math.max(1, waitMs(failures, nowMs))
  }
  assert.ok(tries > 300 && tries <= 10 + 600 + 10, `${tries} in an hour`)
})

test('addresses: one IPv6 network of a stranger is one, neighbours are each their own', () => {
  const called = '2001:db8:0:1::5'
  for (const [remote, key] of [
    ['192.168.1.7', '192.168.1.7'],
    ['::ffff:192.168.1.7', '192.168.1.7'],
    ['2001:db8:9:9:1:2:3:4', '2001:db8:9:9::/64'],
    ['2001:0db8:0009:0009::1', '2001:db8:9:9::/64'],
    ['2001:db8:9::1', '2001:db8:9:0::/64'],
    ['2001:db8:0:1::77', '2001:db8:0:1::77'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::1', '0:0:0:0::/64'],
    ['', ''],
  ] as const) {
    assert.equal(addressKey(remote, called), key, remote)
  }
  assert.equal(addressKey('::1', '::1'), '::1')
})

test('what is remembered of strangers is bounded, and those asked for last stay', () => {
  const remembered = new Remembered<number>(3)
  for (const name of ['a', 'b', 'c']) remembered.set(name, 1)
  remembered.get('a')
  remembered.set('d', 1)
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map(name => remembered.get(name)),
    [1, undefined, 1, 1],
  )
  for (let i = 0; i < 10_000; i++) remembered.set(`stranger ${i}`, i)
  assert.equal(remembered.size, 3)
  assert.equal(
    remembered.sweep(value => value < 9_999),
    2,
  )
})
