import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { silentLog } from '../../runtime/log.ts'
import type { Seen } from '../../runtime/replication/clock-door.ts'
import { HubTime } from '../../runtime/replication/receive/hub-time.ts'
import { decodeDownHello, decodeUpHello, encodeDownHello } from '../../runtime/replication/wire/messages.ts'
import type { DownHello } from '../../runtime/replication/wire/protocol.ts'
import { ourTakes } from '../../runtime/replication/wire/takes.ts'

const hello = (fields: Partial<DownHello> = {}): DownHello => ({
  v: 1,
  session: 's',
  hub: 'hub',
  epoch: 'e',
  wallMs: 1_900_000_000_000,
  clockTrusted: true,
  takes: ourTakes,
  positions: [],
  streams: [],
  refused: [],
  ...fields,
})

function rig(isTrusted = false) {
  const clock = { monotonicMs: 0, wallMs: 5_000 }
  const told: Seen[] = []
  const hubTime = new HubTime({
    store: undefined as never,
    time: { monotonicMs: () => clock.monotonicMs, wallMs: () => clock.wallMs, after: () => () => undefined },
    randomId: () => '',
    log: silentLog,
    clock: { isTrusted: () => isTrusted, maxAheadMs: 1, heard: async seen => void told.push(seen) },
  })
  return { clock, hubTime, told }
}

describe("the hub's time on the link", () => {
  it('comes with how long the answer took, counted from the first hello that may have been answered', async () => {
    const { clock, hubTime, told } = rig()
    hubTime.asked(true)
    clock.monotonicMs = 5_000
    hubTime.asked(false)
    clock.monotonicMs = 7_000
    await hubTime.tell(hubTime.seen(hello()))
    assert.deepEqual(told, [{ wallMs: 1_900_000_000_000, isTrusted: true, askedAtMs: 0, heardAtMs: 7_000 }])
  })

  it('is not taken from an answer that nobody waits for any more: nobody knows how long that took', async () => {
    const { hubTime, told } = rig()
    hubTime.asked(true)
    await hubTime.tell(hubTime.seen(hello()))
    await hubTime.tell(hubTime.seen(hello()))
    assert.equal(told.length, 1)
  })

  it('starts anew with each session', () => {
    const { clock, hubTime } = rig()
    hubTime.asked(true)
    clock.monotonicMs = 60_000
    hubTime.asked(true)
    clock.monotonicMs = 60_100
    assert.equal(hubTime.seen(hello())?.askedAtMs, 60_000)
  })

  it('is what a board in 1970 judges stamps by, and one that knows the time does not', () => {
    const lost = rig()
    assert.equal(lost.hubTime.believedMs(hello())(), 1_900_000_000_000)
    const sure = rig(true)
    assert.equal(sure.hubTime.believedMs(hello())(), 5_000)
  })

  it('is told with whether the hub trusts it; a hub that does not say so does not', () => {
    const body = hello()
    const older = { ...body, clockTrusted: undefined as never }
    const again = decodeDownHello(encodeDownHello(body))
    assert.equal(again.ok && again.value.clockTrusted, true)
    const old = decodeDownHello(encodeDownHello(older))
    assert.equal(old.ok && old.value.clockTrusted, false)
    assert.equal(decodeUpHello(encodeDownHello(body)).ok, false)
  })
})
