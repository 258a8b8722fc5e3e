/** What all watchers of one gateway share. Types only. */
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import type { ConfiguredLabels, DeviceLabels } from './device-labels.ts'
import type { SelfAlertDoor } from './self-alerts.ts'
import type { Silences } from './silences.ts'

export type AlertingOptions = {
  readonly store: Store
  readonly now: () => number
  readonly log: Log
  /** How long after a deadline a reading that arrived before it may still be on its way into the store. */
  readonly graceMs: number
  /** Alerts that may fire at once; undefined is any number. */
  readonly activeMax?: number
  /** Where an alert on the gateway itself is raised while there is no room for more. */
  readonly alerts?: SelfAlertDoor
  /** The boot that readings made now name, while its clock cannot be trusted. */
  readonly boot?: () => string | undefined
  /** What the configuration says of devices. */
  readonly configuredLabels?: ConfiguredLabels
}

/** Since the start. */
export type Counts = {
  raised: number
  resolved: number
  /** Readings that came late, and rules asked about a reading. */
  late: number
  evaluations: number
  /** Readings that rules have made, and those that could not be stored. */
  recorded: number
  unrecorded: number
}

export type Shared = AlertingOptions & {
  readonly labels: DeviceLabels
  readonly silences: Silences
  readonly counts: Counts
  /** Whether there is room for one more alert that fires. */
  readonly mayFire: () => boolean
  /** Something was judged: there may be room again, or none any more. */
  readonly judged: () => void
}
