/**
 * firmware-sim/plans/formats.yaml against a gateway with the routes of examples/formats.yaml: everything that devices hold an
 * acknowledgement for is in the table as they sent it, garbage is in `rejects`, and `/devices` says who is here, while
 * connections are cut by the devices and by the network.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { connectAsync } from 'mqtt'
import { type Fleet, runFleet } from '../../firmware-sim/fleet.ts'
import { formatNamed } from '../../firmware-sim/formats/formats.ts'
import type { LedgerLine } from '../../firmware-sim/ledger.ts'
import { type DevicePlan, parsePlan, type Plan } from '../../firmware-sim/plan.ts'
import type { DevicesListed } from '../../runtime/api/devices.ts'
import type { ReadingForm } from '../../runtime/api/forms.ts'
import { eventually, freePort, type Program, Site, storeConfig } from './programs.ts'

const seed = 5

/** The plan that people are shown, twenty times as fast. */
function hurriedPlan(): Plan {
  const checked = parsePlan('formats.yaml', readFileSync('firmware-sim/plans/formats.yaml', 'utf8'))
  assert.ok(checked.ok, JSON.stringify(checked))
  return { devices: checked.value.devices.map(hurried), hostile: [] }
}

const hurry = 20

function hurried(device: DevicePlan): DevicePlan {
  const { faults, metrics } = device
  const faster = (pause: { everyMs: number; awayMs: number } | undefined) =>
    pause && { everyMs: pause.everyMs / hurry, awayMs: pause.awayMs / hurry }
  return {
    ...device,
    metrics: metrics.map(metric => ({ ...metric, everyMs: metric.everyMs / hurry })),
    faults: { ...faults, resendChance: 0.05, cut: faster(faults.cut), reconnect: faster(faults.reconnect) },
  }
}

/** A network between devices and gateway that can be pulled out of its socket. */
async function openNetwork(t: TestContext, port: number) {
  const sockets = new Set<Socket>()
  let isPulled = false
  const server = createServer(near => {
    if (isPulled) {
      near.destroy()
      return
    }
    const far = connect(port, '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from
        .on('error', () => undefined)
        .on('close', () => {
          sockets.delete(from)
          to.destroy()
        })
      from.pipe(to)
    }
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const pull = (): void => {
    isPulled = true
    for (const socket of sockets) socket.destroy()
  }
  t.after(() => {
    pull()
    server.close()
  })
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    pull,
    plugIn: () => {
      isPulled = false
    },
  }
}

test('a gateway reads every format that firmware-sim speaks, with its faults, cuts and wills', {
  timeout: 120_000,
}, async t => {
  const site = new Site(t)
  const port = await freePort()
  const routes = readFileSync('examples/formats.yaml', 'utf8')
  const config = `${routes}\nclock: { trust: always }\n${storeConfig}\nbroker: { listen: '127.0.0.1:${port}' }\n`
  const gateway = site.program('gateway', { config })
  await gateway.start()
  const commands = await listenForCommands(t, port)
  const network = await openNetwork(t, port)
  const plan = hurriedPlan()
  const ledger = join(site.folder, 'ledger.jsonl')
  const startedMs = performance.now()
  const now = (): number => Date.now()
  const fleet = runFleet(plan, { url: network.url, seed, ledger, now, drainMs: 30_000 })
  t.after(() => fleet.stop())

  const mannered = plan.devices.filter(hasManners).map(({ name }) => name)
  assert.equal(mannered.length, 5)
  await untilAcknowledged(fleet, 500)
  await untilAll(gateway, mannered, 'online')
  network.pull()
  await untilAll(gateway, mannered, 'offline')
  network.plugIn()
  await untilAll(gateway, mannered, 'online')
  await untilAcknowledged(fleet, 1_200)
  const summary = await fleet.stop()
  t.diagnostic(`${summary.readingsAcknowledged} readings in ${Math.round(performance.now() - startedMs)} ms`)
  await untilAll(gateway, mannered, 'offline')
  assert.deepEqual([summary.outstanding, summary.dropped], [0, 0])

  const lines = readFileSync(ledger, 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as LedgerLine)
  assert.equal(lines.length, summary.readingsAcknowledged)
  assertStored(lines, await gateway.readings())
  const rejects = await gateway.readings('rejects')
  assert.ok(rejects.length >= summary.garbageAcknowledged, `${rejects.length} of ${summary.garbageAcknowledged}`)
  assert.ok(rejects.length <= summary.garbageSent, `${rejects.length} of ${summary.garbageSent}`)
  assert.ok(summary.garbageSent > 0)
  assert.ok(commands.includes('spBv1.0/plant/NCMD/line-1'), 'births were asked for')
})

function hasManners({ name, payload, topic, metrics }: DevicePlan): boolean {
  const voice = formatNamed(payload).open({ name, topic, metrics, withId: true, withTime: true, boot: '' })
  return voice.manners !== undefined
}

async function listenForCommands(t: TestContext, port: number): Promise<string[]> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`)
  t.after(() => client.endAsync(true))
  const commands: string[] = []
  client.on('message', topic => commands.push(topic))
  await client.subscribeAsync('spBv1.0/+/NCMD/+')
  return commands
}

async function untilAcknowledged(fleet: Fleet, count: number): Promise<void> {
  await eventually(() => assert.ok(fleet.summary().readingsAcknowledged >= count, JSON.stringify(fleet.summary())))
}

async function untilAll(gateway: Program, names: readonly string[], state: string): Promise<void> {
  await eventually(async () => {
    const { devices } = await gateway.client.get<DevicesListed>('/devices')
    const states = names.map(name => [name, devices.find(({ device }) => device === name)?.state])
    assert.deepEqual(
      states,
      names.map(name => [name, state]),
    )
  })
}

/**
 * What has an id or a time is there once, and what has neither as often as it was acknowledged, or more often; nothing else is
 * there. Times that count from the arrival are the gateway's to know, so SenML's are only counted with the others.
 */
function assertStored(lines: readonly LedgerLine[], stored: readonly ReadingForm[]): void {
  const sent = lines.map(line => ({ ...line, value: line.device === 'relic-1' ? Number(line.value) : line.value }))
  const inTable = tally(stored.map(({ device_time_ms: time, ...reading }) => identityOf({ ...reading, time })))
  const identified = new Set(sent.filter(({ time, id }) => time !== null || id !== null).map(identityOf))
  for (const identity of identified) assert.equal(inTable.get(identity), 1, identity)

  const anonymous = sent.filter(line => line.time === null && line.id === null && !line.device.startsWith('urn:'))
  const anonymousInTable = tally(
    stored.filter(reading => reading.device_time_ms === null && reading.id === null).map(valueOf),
  )
  assert.ok(anonymous.length > 100)
  for (const [value, count] of tally(anonymous.map(valueOf))) {
    assert.ok((anonymousInTable.get(value) ?? 0) >= count, `${value}: ${count}`)
  }
  const said = new Set(sent.map(valueOf))
  for (const reading of stored) assert.ok(said.has(valueOf(reading)), `nobody sent ${valueOf(reading)}`)
}

type Told = { device: string; metric: string; value: unknown }

const valueOf = ({ device, metric, value }: Told): string => JSON.stringify([device, metric, value])

function identityOf({ device, metric, value, time, id }: Told & { time: number | null; id: string | null }): string {
  return JSON.stringify([device, metric, value, time, id])
}

function tally(keys: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  return counts
}
