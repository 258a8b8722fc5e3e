/**
 * What must hold in the end, when the faults are over and everything has drained: the ledger (each acknowledged entry is
 * on the far side once), the order of each origin, rows that are the same everywhere, and transactions that are whole.
 */
import { type Entry, type ReadingEntry, type RecordEntry, type Row, seqZero } from '../../runtime/store/types.ts'
import type { Storm } from './faults.ts'
import { type Load, transactionRowsMax, type Written } from './load.ts'
import type { SimNode } from './node.ts'
import type { Scenario } from './scenario.ts'
import type { World } from './world.ts'

type Case = {
  readonly world: World
  readonly scenario: Scenario
  readonly nodes: readonly SimNode[]
  readonly load: Load
  readonly storm: Storm
}

export async function judge(run: Case): Promise<void> {
  const { nodes, scenario } = run
  const hub = nodes.find(({ options }) => options.role.kind === 'hub')
  if (hub === undefined) return
  for (const gateway of nodes) {
    if (gateway === hub) continue
    for (const table of ['readings', 'alerts']) await judgeLedger(run, gateway, hub, table)
    // Where a limit holds the log of readings it is no ledger any more.
    const isRelayed =
      scenario.limitsOf(gateway.id).length === 0 && scenario.bridgeOf(gateway.id).subscribe.includes('readings')
    for (const other of nodes) {
      if (isRelayed && other !== hub && other !== gateway) await judgeLedger(run, other, gateway, 'readings')
    }
    await judgeRows(run, hub, gateway, 'orders')
    for (const table of scenario.shared) await judgeRows(run, hub, gateway, table)
  }
  for (const node of nodes) {
    if (scenario.limitsOf(node.id).length === 0) await judgeLedger(run, node, node, 'readings')
  }
  for (const node of nodes) await judgeTransactions(run, node)
  await judgeWinners(run, 'thresholds')
}

const numberOf = (entry: ReadingEntry | RecordEntry): number =>
  entry.kind === 'reading' ? (entry.value as number) : ((entry.value as { n: number } | undefined)?.n ?? 0)

async function entriesOf(node: SimNode, table: string): Promise<readonly (ReadingEntry | RecordEntry)[]> {
  const entries: readonly Entry[] = (await node.store?.read(table, seqZero, 1_000_000)) ?? []
  return entries.filter(entry => entry.kind !== 'gap')
}

/** What `to` was told that it will never get of `from`. */
async function gapsOf(from: SimNode, to: SimNode, table: string): Promise<{ first: number; last: number }[]> {
  const gaps: { first: number; last: number }[] = []
  for await (const { value } of to.store?.rows('gaps', { prefix: `${from.id}/${table}/` }) ?? []) {
    gaps.push(value as { first: number; last: number })
  }
  return gaps
}

/** Each entry that `from` acknowledged is at `to` once and in order. */
async function judgeLedger(
  { world, load, storm, scenario }: Case,
  from: SimNode,
  to: SimNode,
  table: string,
): Promise<void> {
  const name = `${table} of ${from.id} at ${to.id}`
  const found = (await entriesOf(to, table)).filter(entry => entry.origin === from.id).map(numberOf)
  const counts = new Map<number, number>()
  for (const n of found) counts.set(n, (counts.get(n) ?? 0) + 1)
  const written = load.written.filter(one => one.table === table && one.node === from.id)
  const setBack = storm.setBack.filter(({ node }) => node === from.id || node === to.id)
  const gaps = await gapsOf(from, to, table)
  const isLost = ({ n }: Written): boolean => {
    const seq = load.places.get(`${from.id}/${table}/${n}`)
    return seq !== undefined && gaps.some(({ first, last }) => first <= seq && seq <= last)
  }
  for (const one of written) {
    const count = counts.get(one.n) ?? 0
    counts.delete(one.n)
    // Set back to an older copy: what was written since is gone, and what had been sent since may be sent again.
    if (count > 1 + setBack.length) world.violate(`${name}: ${one.n} is there ${count} times`)
    const isWanted = from === to || table !== 'readings' || scenario.isChosen(one.n)
    if (!isWanted && count > 0) world.violate(`${name}: ${one.n} is there, and was not chosen`)
    if (count === 0 && isWanted && one.state === 'acknowledged' && !isExcused(one, setBack) && !isLost(one)) {
      world.violate(`${name}: ${one.n} was acknowledged and is missing`)
    }
  }
  for (const n of counts.keys()) world.violate(`${name}: ${n} was never written`)
  if (setBack.length > 0) return
  const wrong = found.findIndex((n, index) => index > 0 && n <= (found[index - 1] ?? 0) && !isResent(load, n))
  if (wrong > 0) world.violate(`${name}: ${found[wrong]} comes after ${found[wrong - 1]}`)
}

/** A device that sends again breaks the order of the numbers, not that of the log. */
const isResent = (load: Load, n: number): boolean => load.sentAgain.has(n)

const isExcused = (
  { acknowledgedAtMs }: Written,
  setBack: readonly { readonly copiedAtMs: number; readonly atMs: number }[],
): boolean => setBack.some(({ copiedAtMs, atMs }) => acknowledgedAtMs >= copiedAtMs - 1 && acknowledgedAtMs <= atMs)

async function rowsOf(node: SimNode, table: string): Promise<Map<string, Row>> {
  const rows = new Map<string, Row>()
  for await (const row of node.store?.rows(table) ?? []) rows.set(row.key, row)
  return rows
}

/** Two sides that saw the same entries hold the same rows, with the same stamps [I7]. */
async function judgeRows({ world, storm }: Case, hub: SimNode, gateway: SimNode, table: string): Promise<void> {
  const [here, there] = [await rowsOf(hub, table), await rowsOf(gateway, table)]
  for (const key of new Set([...here.keys(), ...there.keys()])) {
    const [a, b] = [here.get(key), there.get(key)]
    if (a?.stamp === b?.stamp && a?.origin === b?.origin && JSON.stringify(a?.value) === JSON.stringify(b?.value))
      continue
    // What a machine wrote itself, and lost with its card, nobody sends back to it.
    if (storm.setBack.length > 0) continue
    world.violate(`${table} ${key} is ${told(a)} at ${hub.id}, and ${told(b)} at ${gateway.id}`)
  }
}

const told = (row: Row | undefined): string =>
  row === undefined ? 'not there' : `${JSON.stringify(row.value).slice(0, 40)} (${row.stamp}, ${row.origin})`

/** The row that stands is the latest of all that was ever written to its key. */
async function judgeWinners({ world, nodes, storm }: Case, table: string): Promise<void> {
  if (storm.setBack.length > 0) return
  const latest = new Map<string, RecordEntry>()
  for (const node of nodes) {
    for (const entry of await entriesOf(node, table)) {
      if (entry.kind !== 'record') continue
      const known = latest.get(entry.key)
      const wins =
        known === undefined || entry.stamp > known.stamp || (entry.stamp === known.stamp && entry.origin > known.origin)
      if (wins) latest.set(entry.key, entry)
    }
  }
  for (const node of nodes) {
    const rows = await rowsOf(node, table)
    for (const [key, { stamp, origin, value }] of latest) {
      const row = rows.get(key)
      if (value === undefined ? row === undefined : row?.stamp === stamp && row.origin === origin) continue
      world.violate(`${table} ${key} at ${node.id} is ${told(row)}; the latest is of ${origin} at ${stamp}`)
    }
  }
}

/** Entries that were committed together came together: no row of a transaction without the others, or later ones. */
export async function judgeTransactions({ world, load }: Pick<Case, 'world' | 'load'>, node: SimNode): Promise<void> {
  const rows = await rowsOf(node, 'thresholds')
  for (const row of rows.values()) {
    const { n } = row.value as { n: number }
    for (const key of load.transactions.get(n) ?? []) {
      const other = rows.get(key)
      // Stamps of one transaction are neighbours; its rows are never deleted.
      const isThere = other !== undefined && other.stamp > row.stamp - transactionRowsMax
      if (!isThere) world.violate(`transaction ${n} is not whole at ${node.id}: ${key} is ${told(other)}`)
    }
  }
}
