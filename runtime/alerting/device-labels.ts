/**
 * What people say of a device: in the configuration, and in rows `{ labels: { site: "lyon" } }` of the table
 * `device_labels`, by hand or by the cloud, so read with care; a row comes before the configuration. A row that changes counts from the next reading on; until then what was read is kept, for it is asked of every
 * reading.
 */
import type { Json } from '../reading.ts'
import type { Store } from '../store/store.ts'
import type { Seq } from '../store/types.ts'

export const labelsTable = 'device_labels'
/** Remembered at most; then the memory begins anew. */
const devicesMax = 10_000

export type Labels = Readonly<Record<string, string>>
/** By the name of the device. */
export type ConfiguredLabels = ReadonlyMap<string, Labels>
const none: Labels = {}

export class DeviceLabels {
  readonly #store: Pick<Store, 'tables' | 'head' | 'latest'>
  readonly #configured: ConfiguredLabels
  readonly #isThere: boolean
  readonly #known = new Map<string, Labels>()
  #seen: Seq | undefined

  constructor(store: Pick<Store, 'tables' | 'head' | 'latest'>, configured: ConfiguredLabels = new Map()) {
    this.#store = store
    this.#configured = configured
    this.#isThere = store.tables.has(labelsTable)
  }

  /** The same object as long as nothing has changed. */
  of(device: string): Labels {
    const configured = this.#configured.get(device) ?? none
    if (!this.#isThere) return configured
    const head = this.#store.head(labelsTable)
    if (head !== this.#seen || this.#known.size >= devicesMax) this.#known.clear()
    this.#seen = head
    let labels = this.#known.get(device)
    if (labels === undefined) {
      const ofRow = readLabels(this.#store.latest(labelsTable, device)?.value)
      labels = configured === none ? ofRow : { ...configured, ...ofRow }
      this.#known.set(device, labels)
    }
    return labels
  }
}

/** Texts as they are, numbers and switches as people write them; what is neither is no label. */
export function readLabels(value: Json | undefined): Labels {
  const labels = fieldsOf(fieldsOf(value)?.['labels'])
  if (labels === undefined) return none
  return Object.fromEntries(
    Object.entries(labels).flatMap(([name, label]): (readonly [string, string])[] =>
      typeof label === 'string' || typeof label === 'number' || typeof label === 'boolean'
        ? [[name, String(label)]]
        : [],
    ),
  )
}

function fieldsOf(value: Json | undefined): Readonly<Record<string, Json>> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return value as Readonly<Record<string, Json>>
}
