/**
 * Brings a database whose files or values were damaged into order, before anything is read from it as if it were whole.
 *
 * Promises: what is whole stays; what is not is put aside, and every position that is lost has a mark or a count that
 * tells it [I4]; positions and numbers that were given are not given again; all of it is one synced batch, with a report
 * in it (state `damage`), so that it is told however often the gateway falls over meanwhile. Where nothing is wrong it
 * reads a few dozen keys, and writes nothing.
 */
import { encodeSeq, packedCursor } from '../database.ts'
import * as keys from '../keys.ts'
import { encodeJson } from '../records.ts'
import { seal, unseal } from '../seal.ts'
import { asSeq } from '../types.ts'
import { type DamageReport, damageOwner, reportOf } from './report.ts'
import { lastKeyOf } from './raw.ts'
import { type Facts, recoverFacts } from './recover-facts.ts'
import { recoverBlocks, recoverEnd } from './recover-log.ts'
import { packedThrough, recoverPacked, recoverSeries } from './recover-packed.ts'
import { type KnownTable, Recovery, type RecoveryDoors } from './recovery.ts'
import { type Kept } from './quarantine.ts'

/** Kept aside: values as they were found, a line each. */
export type Aside = (files: readonly Kept[], report: object) => string

/** What was found and done; undefined if nothing was wrong. */
export async function recover(doors: RecoveryDoors, nowMs: number, aside: Aside): Promise<DamageReport | undefined> {
  const recovery = new Recovery(doors)
  const facts = await recoverFacts(recovery, doors.randomId)
  const isShort = await isAnyShorter(recovery, facts)
  if (
    recovery.aside.length === 0 &&
    recovery.puts.size === 0 &&
    doors.damages.length === 0 &&
    doors.suspects.length === 0 &&
    !isShort
  )
    return undefined
  takeSuspects(recovery, doors.suspects)
  for (const table of facts.tables) await recoverTable(recovery, table, facts)
  noteStates(recovery)
  const report = reportOf(recovery, nowMs)
  const name = recovery.aside.length > 0 ? aside([valuesOf(recovery)], { ...report }) : undefined
  const told: DamageReport = { ...report, quarantine: name ?? null }
  await write(recovery, told)
  return told
}

async function recoverTable(recovery: Recovery, table: KnownTable, facts: Facts): Promise<void> {
  const trimmed = facts.trimmed.get(table.id) ?? 0
  let before = trimmed
  if (table.kind === 'series' && !facts.isOld) {
    await recoverSeries(recovery, table)
    const cursor = facts.cursors.get(packedCursor(table.name)) ?? 0
    const packed = await packedThrough(recovery, table, cursor)
    if (packed > cursor) recovery.put(keys.cursorKey(packedCursor(table.name)), encodeSeq(asSeq(packed)))
    await recoverPacked(recovery, table, trimmed, packed)
    before = Math.max(trimmed, packed)
  }
  const head = await recoverBlocks(recovery, table, before)
  recoverEnd(recovery, table, head, facts.isCardOurs)
  recovery.put(keys.factKey(`size/${table.id}`), undefined)
}

/** Values that did not fit when they were read while the gateway ran. */
function takeSuspects(recovery: Recovery, suspects: readonly Buffer[]): void {
  for (const key of suspects) {
    const sealed = recovery.level.getSync(key)
    if (sealed === undefined || unseal(key, sealed) !== undefined) continue
    // Blocks, ranges and series are come across again, with what stands around them.
    const kind = keys.kindOf(key)
    if (kind === 'log' || kind === 'range' || kind === 'series') continue
    if (recovery.aside.some(pair => pair.key.equals(key))) continue
    recovery.remove({ key, sealed, value: undefined })
  }
}

/** What is gone for good besides entries of logs, in words. */
function noteStates(recovery: Recovery): void {
  for (const { key } of recovery.aside) {
    if (recovery.puts.get(key.toString('latin1'))?.value !== undefined) continue
    const kind = keys.kindOf(key)
    if (kind === 'state' || kind === 'kept')
      recovery.note(`what "${keys.nameOf(key).replace('\0', ' ')}" remembered is lost`)
    if (kind === 'row') recovery.note(`the row "${keys.rowKeyName(key)}" of table ${keys.tableOfKey(key)} is lost`)
  }
}

/** True if a log is shorter than its card says. */
async function isAnyShorter(
  { level, card }: Recovery,
  { tables, cursors, trimmed, isCardOurs }: Facts,
): Promise<boolean> {
  if (!isCardOurs) return false
  for (const { id, name } of tables) {
    const newest = await lastKeyOf(level, keys.rangeOf('log', id))
    const head = Math.max(
      newest ? keys.logKeyLast(newest) : 0,
      trimmed.get(id) ?? 0,
      cursors.get(packedCursor(name)) ?? 0,
    )
    if (head < (card?.tables[name]?.head ?? 0)) return true
  }
  return false
}

async function write(recovery: Recovery, report: DamageReport): Promise<void> {
  const batch = recovery.level.batch()
  for (const { key, value } of recovery.puts.values()) {
    if (value === undefined) batch.del(key)
    else batch.put(key, seal(key, value))
  }
  const key = keys.stateKey(damageOwner, `${String(report.at_ms).padStart(15, '0')}-${recovery.puts.size}`)
  batch.put(key, seal(key, encodeJson(report as never)))
  await batch.write({ sync: true })
}

function valuesOf({ aside }: Recovery): Kept {
  const lines = aside.map(({ key, sealed }) =>
    JSON.stringify({ key: key.toString('hex'), stored: sealed.toString('hex') }),
  )
  return { name: 'values.ndjson', bytes: Buffer.from(`${lines.join('\n')}\n`) }
}
