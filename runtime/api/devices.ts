/**
 * The endpoint of devices, below /api/v1:
 *
 *   GET devices             those that were ever heard, and those that the configuration names, by name
 *                           ?device=PATTERN &state=online|offline|never
 */
import type { Hono } from 'hono'
import { HoldfastError } from '../errors.ts'
import { wildcard } from '../store/table.ts'
import { jsonResponse } from './faults.ts'
import { readParameters, shown } from './parameters.ts'

export type DeviceForm = {
  readonly device: string
  /** `never`: the configuration names it, and nobody has heard it. */
  readonly state: string
  readonly since_ms: number | null
  /** `reading`, `presence` (it or its will said so) or `silence`. */
  readonly why: string | null
  readonly first_seen_ms: number | null
  readonly last_seen_ms: number | null
  readonly adapter: string | null
  readonly labels: Readonly<Record<string, string>>
}

/** With the time by the gateway's clock, which ages are counted by. */
export type DevicesListed = { readonly now_ms: number; readonly devices: readonly DeviceForm[] }

/** Who knows the devices. */
export type DevicesDoor = { list(): readonly DeviceForm[] }

const states: readonly string[] = ['online', 'offline', 'never']

export function devicesRoutes(app: Hono, base: string, devices: DevicesDoor, now: () => number): void {
  app.get(`${base}/devices`, c => {
    const { device, state } = readParameters(new URL(c.req.url).searchParams, ['device', 'state'])
    if (state !== undefined && !states.includes(state)) {
      throw new HoldfastError('BAD_ARGUMENT', `"${shown(state)}" is no state of a device`, `write ${states.join(', ')}`)
    }
    const fits = wildcard(device ?? '*')
    const found = devices.list().filter(each => fits(each.device) && (state === undefined || each.state === state))
    return jsonResponse({ now_ms: now(), devices: found } satisfies DevicesListed)
  })
}
