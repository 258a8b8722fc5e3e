/**
 * What a seed means: how many gateways, which tables go where, how often something is written, and which faults there
 * are. Not every fault in every run: faults hide each other, so each seed has a handful of them, often.
 */
import type { HubOptions } from '../../runtime/cloud/hub.ts'
import type { BridgeOptions } from '../../runtime/replication/bridge.ts'
import type { SelectionOptions } from '../../runtime/replication/send/selection.ts'
import type { TableLimit } from '../../runtime/retention/tables.ts'
import type { Window } from '../../runtime/schedule.ts'
import type { TableSpec } from '../../runtime/store/types.ts'
import { type Random, randomOf } from '../rigs/random.ts'

export const faultKinds = [
  'cut',
  'half-open',
  'refuse',
  'slow',
  'lag',
  'repeat',
  'kill',
  'power-cut',
  'disk-errors',
  'disk-dead',
  'disk-slow',
  'disk-full',
  'clock-step',
  'no-rtc',
  'old-copy',
] as const
export type FaultKind = (typeof faultKinds)[number]

export type Scenario = {
  readonly seed: number
  readonly gateways: readonly string[]
  readonly tables: readonly TableSpec[]
  readonly isBrokerInside: boolean
  readonly faults: readonly FaultKind[]
  readonly faultEveryMs: number
  readonly stormMs: number
  readonly writeEveryMs: number
  readonly burstMax: number
  readonly commitIntervalMs: number
  readonly hub: HubOptions
  readonly bridgeOf: (gateway: string) => BridgeOptions
  readonly limitsOf: (node: string) => readonly TableLimit[]
  /** Is this reading for the hub? */
  readonly isChosen: (n: number) => boolean
  /** An end that speaks as the version before did, which told nothing of what it takes. */
  readonly isOld: (gateway: string) => boolean
  /** Tables whose rows every side shares in the end. */
  readonly shared: readonly string[]
}

const tables: readonly TableSpec[] = [
  { name: 'readings', kind: 'series' },
  { name: 'alerts', kind: 'records' },
  { name: 'thresholds', kind: 'records' },
  { name: 'orders', kind: 'records' },
  { name: 'gaps', kind: 'records' },
]

/** Nobody replicates them here; what is parked and what will never come stands in them. */
const builtIn: readonly TableSpec[] = [
  { name: 'gaps', kind: 'records' },
  { name: 'parked', kind: 'records' },
]

export function scenarioOf(seed: number): Scenario {
  const random = randomOf(seed, 1)
  const gateways = Array.from({ length: 1 + random.below(3) }, (_, index) => `gw-${index + 1}`)
  const frameBytes = [400, 1_500, 6_000, undefined][random.below(4)]
  const isRelayed = random.next() < 0.3
  const names = tables.map(({ name }) => name)
  // Drawn from a source of its own: what came later to this list must not change what older seeds mean.
  const more = randomOf(seed, 6)
  const share = more.next() < 0.3 ? 2 + more.below(3) : 1
  const isChosen = (n: number): boolean => n % share === 0
  const rateBytes = more.next() < 0.2 ? 1_000 + more.below(20_000) : undefined
  const window =
    more.next() < 0.15 ? { open: '*/2 * * * *', forMs: 60_000 + more.below(30_000), zone: 'UTC' } : undefined
  const limits = more.next() < 0.4 ? limitsFrom(more) : undefined
  const old = gateways.filter(() => more.next() < 0.25)
  return {
    seed,
    gateways,
    tables: [...tables, ...builtIn],
    isBrokerInside: random.next() < 0.6,
    faults: someOf(faultKinds, 1 + random.below(6), random),
    faultEveryMs: 1_000 + random.below(15_000),
    stormMs: 40_000 + random.below(80_000),
    writeEveryMs: 100 + random.below(1_500),
    burstMax: [1, 8, 60][random.below(3)] ?? 1,
    commitIntervalMs: [0, 20, 100][random.below(3)] ?? 0,
    hub: { id: 'hub', accept: names, offer: names, frameBytes },
    limitsOf: node => limits?.[node === 'hub' ? 'hub' : 'gateway'] ?? [],
    isChosen,
    isOld: gateway => old.includes(gateway),
    shared: ['thresholds'],
    bridgeOf: gateway => ({
      name: 'cloud',
      url: 'mqtt://pretend',
      gateway,
      username: gateway,
      password: undefined,
      publish: [
        readingsStream(share === 1 ? undefined : isChosen, window),
        ...['alerts', 'thresholds', 'gaps'].map(table => ({ table, start: 'beginning' as const })),
      ],
      rateBytes,
      subscribe: isRelayed ? ['thresholds', 'orders', 'readings'] : ['thresholds', 'orders'],
      keepaliveMs: 15_000,
      frameBytes,
      tls: undefined,
    }),
  }
}

function readingsStream(isChosen: ((n: number) => boolean) | undefined, window: Window | undefined) {
  const selection: SelectionOptions | undefined = isChosen && {
    where: entry => isChosen(entry.value as number),
    byKeyAlone: false,
    columns: undefined,
  }
  return { table: 'readings', start: 'beginning' as const, selection, window }
}

/** Logs so short that what a far side has not taken is dropped. */
function limitsFrom(random: Random): Record<'hub' | 'gateway', readonly TableLimit[]> {
  const limit = (table: string): TableLimit => {
    const bytesMax = random.next() < 0.7 ? 500 + random.below(10_000) : undefined
    const ageMsMax = random.next() < 0.5 ? 3_000 + random.below(60_000) : undefined
    // Rows that one side forgets by their age the other has still: what both hold could not be compared.
    return { table, bytesMax, ageMsMax: table === 'readings' ? ageMsMax : undefined, rowsMax: undefined }
  }
  // The hub keeps all readings: its log is where one looks whether they came.
  return { hub: ['thresholds', 'orders'].map(limit), gateway: ['readings', 'thresholds', 'alerts'].map(limit) }
}

function someOf<T>(all: readonly T[], count: number, random: Random): T[] {
  const left = [...all]
  return Array.from({ length: count }, () => left.splice(random.below(left.length), 1)).flat()
}
