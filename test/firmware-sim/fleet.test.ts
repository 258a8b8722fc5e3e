import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { LedgerLine } from '../../firmware-sim/ledger.ts'
import { FleetError, runFleet, type Fleet } from '../../firmware-sim/fleet.ts'
import { parsePlan, type Plan } from '../../firmware-sim/plan.ts'
import type { Summary } from '../../firmware-sim/counts.ts'
import { openBroker, type Received, type RecordingBroker } from './recording-broker.ts'

const seed = 7
const startMs = 1_700_000_000_000

/** A clock that starts at the same moment in every run. */
function clock(): () => number {
  const beganMs = performance.now()
  return () => startMs + performance.now() - beganMs
}

function planOf(text: string): Plan {
  const checked = parsePlan('plan.yaml', text)
  assert.ok(checked.ok, JSON.stringify(checked))
  return checked.value
}

async function broker(t: TestContext, options: { ackAfterMs?: number } = {}): Promise<RecordingBroker> {
  const opened = await openBroker(options)
  t.after(() => opened.close())
  return opened
}

function ledgerPath(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'firmware-sim-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return join(folder, 'ledger.jsonl')
}

function readLedger(path: string): LedgerLine[] {
  const lines = readFileSync(path, 'utf8').split('\n')
  assert.equal(lines.pop(), '', 'the ledger ends with a whole line')
  return lines.map(line => JSON.parse(line) as LedgerLine)
}

type Sent = { id: string; time: number; value: unknown; device: string; number: number }

/** The readings in what a broker received, garbage left out. */
function readingsIn(received: readonly Received[]): Sent[] {
  return received.flatMap(({ client, text }) => {
    if (!text.startsWith('{"value":') || !text.endsWith('}') || text.includes('"value":null')) return []
    const { id, time, value } = JSON.parse(text) as { id: string; time: number; value: unknown }
    return [{ id, time, value, device: client, number: Number(id.split('-').at(-1)) }]
  })
}

/** The books of a run balance: each reading is in exactly one place. */
function assertBalanced(summary: Summary): void {
  const { readings, readingsAcknowledged, readingsSent, dropped, outstanding } = summary
  assert.equal(readings, readingsAcknowledged + readingsSent + dropped + outstanding)
}

/** Waits for something that takes its time; the limit is no promise, only a test that fails instead of hanging. */
async function until(fleet: Fleet, isSo: (summary: Summary) => boolean): Promise<void> {
  const giveUpMs = performance.now() + 60_000
  while (!isSo(fleet.summary())) {
    if (performance.now() > giveUpMs) {
      await fleet.stop()
      assert.fail(`waited in vain: ${JSON.stringify(fleet.summary())}`)
    }
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

test('every reading in the ledger was received, once per line, over QoS 1 and QoS 2', async t => {
  const { url, received } = await broker(t)
  const ledger = ledgerPath(t)
  const plan = planOf(`devices:
  - { name: "one-{n}", count: 5, qos: 1, every: 10ms, metrics: { temperature: { wave: daily, mean: 4, amplitude: 1, noise: 0.1 } } }
  - { name: "two-{n}", count: 5, qos: 2, every: 10ms, metrics: { door: { wave: switch, open_chance: 0.5 } } }
`)
  const fleet = runFleet(plan, { url, seed, ledger, now: clock() })
  await until(fleet, summary => summary.readingsAcknowledged >= 300)
  assert.ok(readLedger(ledger).length >= 300, 'lines are written while the fleet runs')
  const summary = await fleet.stop()
  const lines = readLedger(ledger)
  const byId = new Map(readingsIn(received).map(reading => [reading.id, reading]))
  assertBalanced(summary)
  assert.equal(summary.outstanding, 0)
  assert.equal(lines.length, summary.readingsAcknowledged)
  assert.equal(new Set(lines.map(line => line.id)).size, lines.length)
  for (const line of lines) {
    const { id, time, value, device } = byId.get(line.id ?? '') ?? {}
    assert.deepEqual(
      { id, time, value, device },
      { id: line.id, time: line.time, value: line.value, device: line.device },
    )
  }
  assert.deepEqual(new Set(received.map(each => each.qos)), new Set([1, 2]))
  assert.deepEqual(await fleet.done, summary)
})

test('two runs with one seed and start publish the same readings, and another seed others', async t => {
  const plan = planOf(`devices:
  - { name: "d-{n}", count: 3, every: 20ms, metrics: { temperature: { wave: constant, value: 4, noise: 1 } } }
`)
  const run = async (withSeed: number): Promise<Map<string, unknown>> => {
    const { url, received } = await broker(t)
    const fleet = runFleet(plan, { url, seed: withSeed, now: clock() })
    await until(fleet, summary => summary.readingsAcknowledged >= 30)
    await fleet.stop()
    return new Map(readingsIn(received).map(({ id, time, value }) => [id, { time, value }]))
  }
  const [first, again, other] = [await run(1), await run(1), await run(2)]
  const common = [...first.keys()].filter(id => again.has(id))
  assert.ok(common.length >= 20, `${common.length} ids in common`)
  for (const id of common) assert.deepEqual(first.get(id), again.get(id))
  assert.ok(common.some(id => JSON.stringify(first.get(id)) !== JSON.stringify(other.get(id))))
})

test('a re-sent reading is the same message again, with the same id and time', async t => {
  const { url, received } = await broker(t)
  const plan = planOf(`devices:
  - { name: "d-{n}", count: 4, every: 10ms, metrics: { m: { wave: constant, value: 1 } }, faults: { resend: { chance: 0.3 } } }
`)
  const fleet = runFleet(plan, { url, seed, now: clock() })
  await until(fleet, summary => summary.resentCopies >= 20)
  const summary = await fleet.stop()
  const texts = new Map<string, Set<string>>()
  for (const [index, { id }] of readingsIn(received).entries()) {
    texts.set(id, (texts.get(id) ?? new Set()).add(received[index]?.text ?? ''))
  }
  assertBalanced(summary)
  assert.ok([...texts.values()].every(set => set.size === 1))
  assert.equal(texts.size, summary.readingsAcknowledged)
  assert.equal(received.length - texts.size, summary.resentCopies)
  assert.equal(summary.resent, summary.resentCopies)
  assert.equal(summary.acknowledged, received.length)
})

test('garbage is counted apart from readings, and every kind arrives', async t => {
  const { url, received } = await broker(t)
  const plan = planOf(`devices:
  - { name: "d-{n}", count: 4, every: 10ms, metrics: { m: { wave: constant, value: 1 } }, faults: { garbage: { chance: 0.5 } } }
`)
  const fleet = runFleet(plan, { url, seed, now: clock() })
  await until(fleet, summary => summary.garbageAcknowledged >= 60)
  const summary = await fleet.stop()
  const readings = readingsIn(received)
  const garbage = received.filter(({ text }) => !readings.some(({ id }) => text.includes(`"${id}"`)))
  assertBalanced(summary)
  assert.equal(readings.length, summary.readingsAcknowledged)
  assert.equal(garbage.length, summary.garbageSent)
  assert.equal(garbage.length, summary.garbageAcknowledged)
  assert.ok(new Set(garbage.map(({ text }) => text.slice(0, 6))).size >= 5)
})

test('a burst is readings like any others', async t => {
  const { url, received } = await broker(t)
  const plan = planOf(`devices:
  - { name: d, every: 1h, metrics: { m: { wave: constant, value: 1 } }, faults: { burst: { every: 100ms, count: 50 } } }
`)
  const fleet = runFleet(plan, { url, seed, now: clock() })
  await until(fleet, summary => summary.readingsAcknowledged >= 100)
  const summary = await fleet.stop()
  assert.equal(summary.readings % 50, 0)
  assert.equal(new Set(readingsIn(received).map(({ time }) => time)).size, summary.readings)
})

test('a broker that dies with messages on their way and comes back loses nothing and gets the oldest first', async t => {
  const first = await openBroker({ ackAfterMs: 30 })
  const ledger = ledgerPath(t)
  const plan = planOf(`devices:
  - { name: "d-{n}", count: 6, every: 5ms, window: 10, metrics: { m: { wave: ramp, from: 0, to: 1, over: 1s } } }
`)
  const fleet = runFleet(plan, { url: first.url, seed, ledger, now: clock() })
  await until(fleet, summary => summary.readingsAcknowledged >= 100)
  await first.close()
  await until(fleet, summary => summary.connectFailures >= 6)
  const second = await openBroker({ port: first.port })
  t.after(() => second.close())
  await until(fleet, summary => summary.reconnects >= 6 && summary.readingsAcknowledged >= 1_000)
  const summary = await fleet.stop()
  const readings = readingsIn([...first.received, ...second.received])
  assertBalanced(summary)
  assert.equal(summary.outstanding, 0)
  assert.equal(summary.dropped, 0)
  assert.ok(summary.resentUnacknowledged > 0)
  assert.equal(readLedger(ledger).length, summary.readings)
  for (let index = 1; index <= 6; index++) {
    const mine = readings.filter(({ device }) => device === `d-${index}`).map(({ number }) => number)
    const seen = [...new Set(mine)]
    assert.deepEqual(
      seen,
      seen.map((_, position) => position + 1),
      'each number arrives, for the first time in order',
    )
  }
})

test('planned leaves and torn connections lose nothing', async t => {
  const { url, received } = await broker(t, { ackAfterMs: 5 })
  const plan = planOf(`devices:
  - { name: "leaver-{n}", count: 2, every: 10ms, metrics: { m: { wave: constant, value: 1 } }, faults: { reconnect: { every: 200ms, away: 20ms } } }
  - { name: "torn-{n}", count: 2, qos: 2, every: 10ms, metrics: { m: { wave: constant, value: 1 } }, faults: { cut: { every: 200ms, away: 20ms } } }
`)
  const reasons = new Set<string>()
  const fleet = runFleet(plan, {
    url,
    seed,
    now: clock(),
    onEvent: event => event.kind === 'disconnected' && reasons.add(event.reason),
  })
  await until(fleet, summary => summary.reconnects >= 8)
  const summary = await fleet.stop()
  assertBalanced(summary)
  assert.equal(summary.outstanding, 0)
  assert.equal(new Set(readingsIn(received).map(({ id }) => id)).size, summary.readings)
  assert.deepEqual(reasons, new Set(['']), 'a device that means to go has no complaint')
})

test('without a broker the outbox fills to its bound, and what does not fit is counted', async t => {
  const closed = await openBroker()
  await closed.close()
  const plan = planOf(`devices:
  - { name: "d-{n}", count: 2, every: 5ms, outbox: 20, metrics: { m: { wave: constant, value: 1 } } }
`)
  const ledger = ledgerPath(t)
  const fleet = runFleet(plan, { url: closed.url, seed, ledger, now: clock(), drainMs: 50 })
  await until(fleet, summary => summary.dropped >= 30)
  const summary = await fleet.stop()
  assertBalanced(summary)
  assert.equal(summary.outstanding, 40)
  assert.equal(summary.connections, 0)
  assert.deepEqual(readLedger(ledger), [])
})

test('QoS 0 is counted as sent, never as acknowledged, and does not reach the ledger', async t => {
  const { url, received } = await broker(t)
  const ledger = ledgerPath(t)
  const plan = planOf(`devices:
  - { name: "d-{n}", count: 2, qos: 0, every: 5ms, payload: number, metrics: { m: { wave: constant, value: 2.5 } } }
`)
  const fleet = runFleet(plan, { url, seed, ledger, now: clock() })
  await until(fleet, summary => summary.readingsSent >= 50)
  const summary = await fleet.stop()
  assertBalanced(summary)
  assert.equal(summary.acknowledged, 0)
  assert.equal(received.length, summary.sent)
  assert.ok(received.every(({ text, topic }) => text === '2.5' && /^sensors\/d-[12]\/m$/.test(topic)))
  assert.deepEqual(readLedger(ledger), [])
})

test('QoS 0 that a broker does not read waits in the outbox, and none is counted twice when the connection breaks', async t => {
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket)
    // CONNACK, and then the first connection is never read again; the second is read and thrown away.
    socket.once('data', () => {
      socket.write(Buffer.from([0x20, 0x02, 0x00, 0x00]))
      if (sockets.length === 1) socket.pause()
      else socket.resume()
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const url = `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`
  const plan = planOf(`devices:
  - { name: d, qos: 0, every: 2ms, outbox: 200, metrics: { m: { wave: constant, value: "${'x'.repeat(100_000)}" } } }
`)
  const fleet = runFleet(plan, { url, seed, now: clock() })
  await until(fleet, summary => summary.dropped > 0)
  assertBalanced(fleet.summary())
  assert.equal(fleet.summary().outstanding, 180, 'all but the window')
  sockets[0]?.destroy()
  await until(fleet, summary => summary.reconnects > 0 && summary.outstanding === 0)
  const summary = await fleet.stop()
  assertBalanced(summary)
  assert.equal(summary.resent, 0)
})

test('a duration ends a fleet by itself', async t => {
  const { url, received } = await broker(t)
  const plan = planOf('devices: [{ name: d, every: 10ms, metrics: { m: { wave: constant, value: 1 } } }]')
  const summary = await runFleet(plan, { url, seed, durationMs: 200, now: clock() }).done
  assertBalanced(summary)
  assert.ok(summary.readings > 0)
  assert.equal(received.length, summary.acknowledged)
})

test('a URL or a ledger that cannot be used is one sentence, and a ledger that fails later ends the fleet', async t => {
  const { url } = await broker(t)
  const plan = planOf('devices: [{ name: d, every: 10ms, metrics: { m: { wave: constant, value: 1 } } }]')
  const now = clock()
  assert.throws(
    () => runFleet(plan, { url: 'http://x', seed, now }),
    new FleetError('"http://x" is not a broker\'s URL: write mqtt://127.0.0.1:1883'),
  )
  assert.throws(() => runFleet(plan, { url, seed, now, ledger: '/' }), /the ledger "\/" cannot be opened: EISDIR/)
  await assert.rejects(
    runFleet(plan, { url, seed, now, ledger: '/dev/full' }).done,
    /the ledger "\/dev\/full" cannot be written: ENOSPC/,
  )
})
