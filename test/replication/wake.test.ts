import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { Bridge } from '../../runtime/replication/bridge.ts'
import { encodeMessage } from '../../runtime/replication/wire/codec.ts'
import type { BridgeLink, LinkEvents } from '../../runtime/replication/link/link.ts'
import { decodeUpHello, encodeAgain, encodeDownHello, encodeRefused } from '../../runtime/replication/wire/messages.ts'
import { ourTakes } from '../../runtime/replication/wire/takes.ts'
import { type Time, systemTime } from '../../runtime/replication/time.ts'
import type { Store } from '../../runtime/store/store.ts'
import { doors, openTestStore, places, until } from './rig.ts'

/** Time that stands still until a test moves it. */
class ByHand implements Time {
  nowMs = 100_000
  #timers: { readonly atMs: number; readonly run: () => void }[] = []
  readonly wallMs = systemTime.wallMs
  readonly monotonicMs = (): number => this.nowMs

  after = (delayMs: number, run: () => void): (() => void) => {
    const timer = { atMs: this.nowMs + delayMs, run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter(one => one !== timer)
    }
  }

  pass(ms: number): void {
    const endMs = this.nowMs + ms
    for (;;) {
      const [next] = this.#timers.filter(({ atMs }) => atMs <= endMs).toSorted((a, b) => a.atMs - b.atMs)
      if (next === undefined) break
      this.nowMs = Math.max(this.nowMs, next.atMs)
      this.#timers = this.#timers.filter(one => one !== next)
      next.run()
    }
    this.nowMs = endMs
  }
}

describe('a bridge that a hub of another version has turned away', () => {
  let store: Store
  let time: ByHand
  let bridge: Bridge
  let events: LinkEvents | undefined
  /** The sessions of our hellos. */
  const sessions: string[] = []

  const hear = (name: string, payload: Buffer): void => events?.onMessage(`holdfast/v1/edge-1/down/${name}`, payload)
  const hello = (session: string): Buffer =>
    encodeDownHello({
      session,
      hub: 'hub',
      epoch: 'e1',
      wallMs: time.wallMs(),
      clockTrusted: true,
      takes: ourTakes,
      positions: [],
      streams: [],
      refused: [],
    })
  const link: BridgeLink = {
    open: () => undefined,
    close: () => Promise.resolve(),
    publish: (topic, payload) => {
      const decoded = decodeUpHello(payload)
      if (topic.endsWith('up/hello') && decoded.ok) sessions.push(decoded.value.session)
    },
    reset: () => undefined,
    settled: () => undefined,
    status: () => ({
      state: 'connected',
      sinceMs: 0,
      reason: undefined,
      kind: undefined,
      attempts: 0,
      nextAttemptInMs: undefined,
      mqtt: '3.1.1',
      denied: [],
      warnings: [],
      connectedAtMs: 0,
    }),
  }

  beforeEach(async () => {
    store = await openTestStore(places.memory(), 'edge-1')
    time = new ByHand()
    sessions.length = 0
    const options = {
      name: 'cloud',
      url: 'mqtt://hub',
      gateway: 'edge-1',
      username: 'edge-1',
      password: undefined,
      publish: [],
      subscribe: [],
      keepaliveMs: 5_000,
      frameBytes: undefined,
      tls: undefined,
    }
    const makeLink = (_options: unknown, given: LinkEvents): BridgeLink => {
      events = given
      return link
    }
    bridge = await Bridge.open(options, { ...doors(store, time), random: () => 0.5, makeLink })
    events?.onUp()
    hear('hello', encodeMessage({ v: 2, session: sessions[0] ?? '' }))
    assert.equal(bridge.status().state, 'refused')
    assert.match(bridge.status().reason ?? '', /another version: 2/)
    assert.equal(sessions.length, 1)
  })
  afterEach(async () => {
    await bridge.close()
    await store.close()
  })

  it('rests for a minute if nobody says anything', () => {
    time.pass(59_000)
    assert.equal(sessions.length, 1)
    time.pass(2_000)
    assert.equal(sessions.length, 2)
  })

  it('greets as soon as it hears again, and talks', async () => {
    time.pass(10_000)
    hear('again', encodeAgain())
    assert.equal(sessions.length, 2)
    hear('hello', hello(sessions.at(-1) ?? ''))
    await until('it talks', () => bridge.status().state === 'talking')
    assert.equal(bridge.status().reason, undefined)
  })

  it('greets when it hears a hello of its own version, whosever session that names', async () => {
    time.pass(10_000)
    hear('hello', hello('of-before'))
    assert.equal(sessions.length, 2)
    hear('hello', hello(sessions.at(-1) ?? ''))
    await until('it talks', () => bridge.status().state === 'talking')
  })

  it('talks at once when its own hello is answered after all', async () => {
    hear('hello', hello(sessions[0] ?? ''))
    await until('it talks', () => bridge.status().state === 'talking')
    assert.equal(sessions.length, 1)
  })

  it('is not made to greet as often as somebody says again', () => {
    for (let second = 0; second < 60; second++) {
      time.pass(1_000)
      hear('again', encodeAgain())
      hear('again', encodeAgain())
      hear('hello', encodeMessage({ v: 2, session: sessions.at(-1) ?? '' }))
    }
    assert.ok(sessions.length > 2 && sessions.length <= 14, `${sessions.length} hellos in a minute`)
  })

  it('is not woken by what is of another version, nor by hellos for another bridge when that was not why', () => {
    time.pass(10_000)
    hear('again', encodeMessage({ v: 2 }))
    assert.equal(sessions.length, 1)
    hear('refused', encodeRefused('too-many-gateways'))
    hear('hello', hello('of-another'))
    assert.equal(sessions.length, 1)
  })
})
