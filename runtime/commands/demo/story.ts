/**
 * The demo is the main job: thresholds come down, readings flow up, the link is cut, an alert fires where it matters, the
 * link returns and everything is at the hub, once. Nothing is staged but the cut and the fridge that is left open; every
 * number is asked of the programs while they run, and at the end the two ends are compared reading by reading.
 */
import { runFleet } from '../../../firmware-sim/fleet.ts'
import { type Plan, parsePlan } from '../../../firmware-sim/plan.ts'
import type { ReadingForm, RowForm } from '../../api/forms.ts'
import type { GatewayStatus } from '../../api/status.ts'
import type { Json } from '../../reading.ts'
import { tablePath } from '../gateway-client.ts'
import { type Narrator, sparkline } from './narrator.ts'
import type { Actor, Stage } from './stage.ts'

export type Outcome = {
  /** Distinct readings that devices hold an acknowledgement for. */
  readonly acknowledged: number
  readonly stored_at_gateway: number
  readonly stored_at_hub: number
  /** Acknowledged readings that the hub lacks, and readings that it has more than once. */
  readonly missing_at_hub: number
  readonly twice_at_hub: number
  readonly alerts_at_gateway: number
  readonly alerts_at_hub: number
  readonly snippet_seconds: number
  readonly snippet_readings: number
  readonly fired_while_cut: boolean
  readonly agrees: boolean
}

const limit = 8
const openedAtMs = 9_000
const planText = `
devices:
  - { name: "fridge-{n}", count: 2, every: 500ms, history: 60s, metrics: { temperature: { wave: daily, mean: 4, amplitude: 0.5, noise: 0.15, decimals: 2, unit: "°C" } } }
  - name: fridge-3
    every: 500ms
    history: 60s
    metrics:
      temperature: { wave: daily, mean: 4, amplitude: 0.5, noise: 0.15, decimals: 2, unit: "°C", script: [{ at: 7s, value: 5.4 }, { at: 7500ms, value: 6.6 }, { at: 8s, value: 7.5 }, { at: ${openedAtMs}ms, value: 9.5 }, { at: 15s, value: 7.1 }, { at: 16s, value: 5 }] }
  - { name: motor-1, every: 100ms, qos: 1, metrics: { vibration: { wave: vibration, mean: 2.8, amplitude: 0.8, noise: 0.1, decimals: 2, unit: mm/s } }, faults: { resend: { chance: 0.05 } } }
  - { name: "door-{n}", count: 2, qos: 2, metrics: { open: { wave: switch, open_chance: 0.05, open_for: 5s } }, faults: { reconnect: { every: 6s, away: 500ms } } }
`

/** `stop` ends it early, with the reason; it is aborted here if the programs can no longer be asked. */
export async function tell(
  stage: Stage,
  narrator: Narrator,
  seed: number,
  now: () => number,
  stop: AbortController,
): Promise<Outcome> {
  const { signal } = stop
  const until = (check: () => Promise<boolean>): Promise<void> => waitUntil(check, signal)
  const sleep = (ms: number): Promise<void> => pause(ms, signal)
  const { hub, gateway, link } = stage
  narrator.chapter(
    '1  Thresholds live in the cloud and come down',
    `three limits are written in the hub; the gateway asks for them over the one connection it dialled`,
  )
  for (const number of [1, 2, 3])
    await hub.client.put(tablePath('thresholds', 'rows', `fridge-${number}/temperature`), limit)
  await until(async () => (await rows(gateway, 'thresholds')).length === 3)
  narrator.event(`the gateway holds 3 thresholds: fridges may have ${limit} °C`)

  narrator.chapter('2  Devices publish, the gateway acknowledges what is on its disk')
  const acknowledged = new Set<string>()
  const fleet = runFleet(demoPlan(), {
    url: `mqtt://127.0.0.1:${stage.brokerPort}`,
    seed,
    now,
    drainMs: 2_000,
    onEvent: event => {
      if (event.kind === 'acknowledged' && event.message.kind === 'reading' && event.message.id)
        acknowledged.add(event.message.id)
    },
  })
  const startedMs = now()
  const ended = new AbortController()
  const ticking = keepTicking(stage, narrator, () => acknowledged.size, AbortSignal.any([ended.signal, signal])).catch(
    (error: unknown) => stop.abort(error),
  )
  const at = (ms: number): Promise<void> => sleep(startedMs + ms - now())
  try {
    await at(4_000)
    narrator.event(
      `6 devices, ${acknowledged.size} readings acknowledged; each fridge first sent the minute before it came`,
    )

    narrator.chapter('3  The link is cut', 'nobody but the gateway is there to notice what happens now')
    link.cut()
    await until(async () => (await gateway.status()).bridges[0]?.state !== 'talking')
    const wasSilent = (await rows(hub, 'alerts')).length === 0
    narrator.event('the uplink is down; readings go on being acknowledged', 'yellow')

    narrator.chapter('4  Somebody leaves fridge-3 open')
    await until(async () => (await rows(gateway, 'alerts')).length > 0)
    const [alert] = await rows(gateway, 'alerts')
    const row = alert?.value as AlertForm
    const firedWhileCut = wasSilent && (await gateway.status()).bridges[0]?.state !== 'talking'
    narrator.event(
      `${narrator.paint('bold', row.annotations['summary'] ?? '')} (alert ${row.rule}, ${row.severity})`,
      'red',
    )
    narrator.event(
      `raised ${alert ? alert.time_ms - row.fired_ms : '?'} ms after the reading arrived, with the link down; the limit is the hub's own, stamp ${row.threshold_stamp}`,
    )
    await at(13_000)
    const backlog = (await gateway.status()).bridges[0]?.streams.reduce((sum, stream) => sum + stream.behind, 0)
    narrator.event(`${backlog} entries wait on disk for the link`, 'yellow')

    narrator.chapter('5  The link returns', 'alerts first; then the readings, in order, each once')
    link.mend()
    await until(async () => (await rows(hub, 'alerts')).length > 0)
    const [atHub] = (await rows(hub, 'alerts')).map(valueOf)
    const { snippet } = atHub as unknown as AlertForm
    const points = snippet.series[0]?.points ?? []
    narrator.event(
      `the alert stands in the hub's table, with ${snippet.count} readings of the ${(snippet.to_ms - snippet.from_ms) / 1000} s before it:`,
    )
    narrator.line(
      `           ${narrator.paint('cyan', sparkline(points.map(point => point[1])))}  ${points[0]?.[1]} → ${points.at(-1)?.[1]} °C`,
    )
    await until(async () => (await alertStates(gateway)).includes('resolved'))
    narrator.event('fridge-3 is closed again: the alert resolved itself')

    await at(20_000)
    const summary = await fleet.stop()
    narrator.event(`the devices stop; ${summary.resent} of their messages were sent more than once`)
    return await compare(stage, narrator, until, acknowledged, { snippet, firedWhileCut })
  } catch (error) {
    // Ctrl-C ends the programs too, and that may be noticed here first.
    await new Promise(resolve => setTimeout(resolve, 100))
    throw signal.aborted ? signal.reason : error
  } finally {
    ended.abort()
    await ticking
    await fleet.stop()
  }
}

type AlertForm = {
  readonly rule: string
  readonly severity: string
  readonly state: string
  readonly fired_ms: number
  readonly threshold_stamp: number
  readonly annotations: Readonly<Record<string, string>>
  readonly snippet: {
    readonly from_ms: number
    readonly to_ms: number
    readonly count: number
    readonly series: readonly { readonly points: readonly (readonly [number, number])[] }[]
  }
}

/** Waits until the hub has caught up, then holds both ends against what the devices know. */
async function compare(
  { gateway, hub }: Stage,
  narrator: Narrator,
  until: (check: () => Promise<boolean>) => Promise<void>,
  acknowledged: ReadonlySet<string>,
  { snippet, firedWhileCut }: { snippet: AlertForm['snippet']; firedWhileCut: boolean },
): Promise<Outcome> {
  narrator.chapter('6  The count')
  await until(async () => (await gateway.status()).bridges[0]?.streams.every(stream => stream.behind === 0) ?? false)
  const [atGateway, atHub] = [await readingIds(gateway), await readingIds(hub)]
  const [gatewayAlerts, hubAlerts] = [await rows(gateway, 'alerts'), await rows(hub, 'alerts')]
  const distinct = new Set(atHub)
  const outcome = {
    acknowledged: acknowledged.size,
    stored_at_gateway: atGateway.length,
    stored_at_hub: atHub.length,
    missing_at_hub: [...acknowledged].filter(id => !distinct.has(id)).length,
    twice_at_hub: atHub.length - distinct.size,
    alerts_at_gateway: gatewayAlerts.length,
    alerts_at_hub: hubAlerts.length,
    snippet_seconds: (snippet.to_ms - snippet.from_ms) / 1000,
    snippet_readings: snippet.count,
    fired_while_cut: firedWhileCut,
  }
  const sameAlerts = JSON.stringify(gatewayAlerts.map(valueOf)) === JSON.stringify(hubAlerts.map(valueOf))
  const sameReadings =
    outcome.acknowledged === outcome.stored_at_gateway && outcome.acknowledged === outcome.stored_at_hub
  const agrees =
    sameAlerts &&
    sameReadings &&
    outcome.missing_at_hub === 0 &&
    outcome.twice_at_hub === 0 &&
    outcome.alerts_at_hub === 1 &&
    firedWhileCut
  return { ...outcome, agrees }
}

function demoPlan(): Plan {
  const parsed = parsePlan('demo', planText)
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems))
  return parsed.value
}

/** The moving line of counts, each asked of the programs themselves. */
async function keepTicking(
  stage: Stage,
  narrator: Narrator,
  acknowledged: () => number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const [here, there] = await Promise.all([stage.gateway.status(), stage.hub.status()])
    const head = (status: GatewayStatus, table: string): number =>
      status.store.tables.find(({ name }) => name === table)?.head ?? 0
    const isUp = here.bridges[0]?.state === 'talking'
    const link = isUp ? narrator.paint('green', 'link up  ') : narrator.paint('yellow', 'link down')
    narrator.tick(
      `acknowledged ${acknowledged()}   stored ${head(here, 'readings')}   at the hub ${head(there, 'readings')}   ${link}   alert log ${head(here, 'alerts')} / ${head(there, 'alerts')}`,
    )
    await new Promise(resolve => setTimeout(resolve, 250))
  }
}

const valueOf = (row: RowForm): Json => row.value

async function rows(actor: Actor, table: string): Promise<RowForm[]> {
  const found: RowForm[] = []
  for await (const row of actor.client.lines<RowForm>(tablePath(table, 'rows'))) found.push(row)
  return found
}

async function readingIds(actor: Actor): Promise<string[]> {
  const found: string[] = []
  for await (const reading of actor.client.lines<ReadingForm>(tablePath('readings', 'readings')))
    found.push(reading.id ?? '')
  return found
}

async function alertStates(actor: Actor): Promise<string[]> {
  return (await rows(actor, 'alerts')).map(row => (row.value as AlertForm).state)
}

/** Looks again and again; a machine under load may take its time, but not for ever. */
async function waitUntil(check: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (await check()) return
    await pause(100, signal)
  }
  throw new Error('what the demo waited for did not happen within a minute')
}

/** Rejects with the reason if the signal is aborted. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  await new Promise<void>((resolve, reject) => {
    const stopped = (): void => {
      clearTimeout(timer)
      reject(signal.reason as Error)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stopped)
      resolve()
    }, ms)
    signal.addEventListener('abort', stopped, { once: true })
  })
}
