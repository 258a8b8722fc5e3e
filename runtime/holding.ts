/** From the configuration to what holds the store within its bounds: limits of tables, and what of the disk stays free. */
import { join } from 'node:path'
import { alertsTable, isOpenAlert } from './alerting/names.ts'
import type { BoundsSection, TableBounds } from './api/bounds.ts'
import { monotonicMs } from './clock/wall.ts'
import type { Config } from './config/config.ts'
import type { House } from './house.ts'
import { systemTime } from './replication/time.ts'
import { floorOf } from './retention/floor.ts'
import type { Rank } from './retention/giving.ts'
import { type DiskDoors, Retention, type RetentionStatus, type TableStatus } from './retention/retention.ts'
import { compileInstants } from './schedule.ts'
import { clearSpare, diskSpace, pathBytes } from './store/disk-space.ts'
import type { Store } from './store/store.ts'
import { tableRead } from './streams.ts'

export function openRetention({ config, log, closers, time }: House, store: Store): Retention {
  const limits = [...config.tables].map(([table, { bytesMax, ageMsMax, rowsMax }]) => ({
    table,
    bytesMax,
    ageMsMax,
    rowsMax,
  }))
  const retention = Retention.open(limits, {
    store,
    trustedMs: () => (time.clock.isTrusted ? time.clock.now() : undefined),
    wallMs: time.clock.now,
    monotonicMs,
    after: systemTime.after,
    tableOf: tableRead(config),
    mayForget: (table, value) => table !== alertsTable || !isOpenAlert(value),
    disk: diskDoors(config),
    log: log.child({ room: 'retention' }),
  })
  closers.push(() => retention.close())
  return retention
}

/** What the control surface tells of it. */
export function boundsOf({ disk, compaction }: RetentionStatus): BoundsSection {
  return {
    pressure: disk?.pressure ?? 'plenty',
    free_bytes: disk?.freeBytes ?? null,
    disk_bytes: disk?.diskBytes ?? null,
    floor_bytes: disk?.floorBytes ?? null,
    thinned_bytes: disk?.thinnedBytes ?? 0,
    dropped_bytes: disk?.droppedBytes ?? 0,
    compaction: compaction
      ? {
          why: compaction.why,
          at_ms: compaction.atMs ?? null,
          before_bytes: compaction.bytesBefore,
          after_bytes: compaction.bytesAfter,
          duration_ms: compaction.durationMs,
        }
      : null,
  }
}

export function tableBounds(table: TableStatus): TableBounds {
  const { bytesMax, ageMsMax, rowsMax, lastReason, ...counts } = table
  return {
    max_bytes: bytesMax ?? null,
    max_age_ms: ageMsMax ?? null,
    max_rows: rowsMax ?? null,
    lost_reason: lastReason,
    ...counts,
  }
}

function diskDoors({ store: { path, minFree, ballastBytes, compact }, rules }: Config): DiskDoors {
  const compiled = compact === undefined ? undefined : compileInstants(compact, rules.zone)
  return {
    space: () => diskSpace(path),
    floorOf: diskBytes => floorOf(minFree, diskBytes, ballastBytes),
    folderBytes: () => pathBytes(join(path, 'db')),
    clear: () => clearSpare(path),
    rankOf,
    compactAt: compiled?.ok ? compiled.instants : undefined,
  }
}

/** Payloads that nobody could read go first; summaries, which are small and stand for many readings, last. */
function rankOf(table: string): Rank {
  if (table === 'rejects') return 'first'
  // No table of a configuration has a dot in its name: these are logs of the gateway's own.
  return table.includes('.') ? 'last' : 'usual'
}
