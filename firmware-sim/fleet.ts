/**
 * A fleet of pretend devices against one broker. It promises to count honestly at its own end, to hold a bounded number
 * of messages per device whatever the broker does, and to wait for outstanding acknowledgements when it is stopped. It
 * speaks MQTT and nothing else, and knows nothing of what listens.
 */
import { noCounts, type Summary } from './counts.ts'
import { Device, type FleetEvent } from './device.ts'
import { Ledger } from './ledger.ts'
import type { Plan } from './plan.ts'

export type FleetOptions = {
  /** `mqtt://127.0.0.1:1883`; a user name and password may stand in it. */
  url: string
  seed: number
  /** Without it the fleet runs until it is stopped. */
  durationMs?: number | undefined
  /** A file to which every acknowledged reading is appended. */
  ledger?: string | undefined
  /** Milliseconds since 1970; must not run backwards. */
  now: () => number
  /** Called for each connection and each message: keep it short. */
  onEvent?: ((event: FleetEvent) => void) | undefined
  /** How long a stopped fleet waits for what is not acknowledged yet. */
  drainMs?: number | undefined
}

export type Fleet = {
  /** No new readings; waits for outstanding acknowledgements, disconnects, and gives the last counts. */
  stop: () => Promise<Summary>
  summary: () => Summary
  /** The last counts, when the duration is over or the fleet was stopped. Rejects if the ledger cannot be written. */
  done: Promise<Summary>
}

/** Something a person can put right: a URL, a path. */
export class FleetError extends Error {}

/** Fine enough that a reading is at most this late, coarse enough that a thousand devices cost no CPU worth naming. */
const tickMs = 10
const drainMsDefault = 5_000
/** A fleet connects over at most this long, two milliseconds a device: a listening queue is finite. */
const connectSpreadMs = 1_000
/** How long the last connections may take to close before the summary stands without them. */
const closeMs = 2_000

type Phase = 'running' | 'draining' | 'closing' | 'done'

export function runFleet(plan: Plan, options: FleetOptions): Fleet {
  checkUrl(options.url)
  const { seed, now, onEvent, url } = options
  const startMs = Math.floor(now())
  const counts = noCounts()
  const ledger = openLedger(options.ledger, error => fail(error))
  const surroundings = { url, seed, startMs, boot: startMs.toString(36), counts, ledger, onEvent }
  const spreadMs = Math.min(connectSpreadMs, plan.devices.length * 2)
  const devices = plan.devices.map(
    (each, index) => new Device(each, surroundings, startMs + (spreadMs * index) / plan.devices.length),
  )
  const { promise: done, resolve, reject } = deferred<Summary>()
  const ticker = setInterval(tick, tickMs)
  let phase: Phase = 'running'
  let patience: NodeJS.Timeout | undefined
  let failure: FleetError | undefined
  let endedMs: number | undefined

  function tick(): void {
    const nowMs = now()
    for (const device of devices) device.tick(nowMs)
    if (phase === 'running' && options.durationMs !== undefined && nowMs - startMs >= options.durationMs) drain()
    if (phase === 'draining' && devices.every(device => device.idle)) close()
    if (phase === 'closing' && devices.every(device => device.gone)) finish()
  }

  function drain(): void {
    phase = 'draining'
    endedMs = now()
    for (const device of devices) device.stopProducing()
    // A fleet that never reached its broker has nothing on its way to wait for.
    patience = setTimeout(close, counts.connections === 0 ? 0 : (options.drainMs ?? drainMsDefault))
  }

  function close(): void {
    clearTimeout(patience)
    phase = 'closing'
    for (const device of devices) device.leave()
    patience = setTimeout(finish, closeMs)
  }

  function finish(): void {
    if (phase === 'done') return
    phase = 'done'
    clearTimeout(patience)
    clearInterval(ticker)
    ledger?.close()
    if (failure) reject(failure)
    else resolve(summary())
  }

  function fail(error: unknown): void {
    failure = new FleetError(`the ledger "${options.ledger}" cannot be written: ${messageOf(error)}`)
    for (const device of devices) device.stopProducing()
    if (phase === 'running' || phase === 'draining') close()
  }

  function summary(): Summary {
    return {
      ...counts,
      seed,
      devices: devices.length,
      missed: devices.reduce((sum, device) => sum + device.missed, 0),
      connected: devices.filter(device => device.connected).length,
      outstanding: devices.reduce((sum, device) => sum + device.outstanding(), 0),
      elapsedMs: Math.round((endedMs ?? now()) - startMs),
    }
  }

  return {
    stop: () => {
      if (phase === 'running') drain()
      return done
    },
    summary,
    done,
  }
}

function openLedger(path: string | undefined, onError: (error: unknown) => void): Ledger | undefined {
  if (path === undefined) return undefined
  try {
    return new Ledger(path, onError)
  } catch (error) {
    throw new FleetError(`the ledger "${path}" cannot be opened: ${messageOf(error)}`)
  }
}

function checkUrl(url: string): void {
  const protocols = ['mqtt:', 'mqtts:', 'tcp:', 'ssl:', 'ws:', 'wss:']
  if (!URL.canParse(url) || !protocols.includes(new URL(url).protocol)) {
    throw new FleetError(`"${url}" is not a broker's URL: write mqtt://127.0.0.1:1883`)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** `Promise.withResolvers`, which Node 20 does not have. */
function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  let resolve: (value: T) => void = () => undefined
  let reject: (error: Error) => void = () => undefined
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue
    reject = onError
  })
  return { promise, resolve, reject }
}
