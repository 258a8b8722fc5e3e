/**
 * An import from beginning to end.
 *
 *   a file    is checked as a whole; if a line is wrong, nothing of it is imported; then it is read once more and sent
 *   a pipe    is sent as it is read; the first line that is wrong ends it, and what was before is stored
 *
 * With `skipBad` wrong lines are told, counted and left out. However it ends, it tells through which line all is on disk.
 */
import { HoldfastError } from '../../errors.ts'
import type { GatewayClient } from '../gateway-client.ts'
import { openProgressBar, perSecond } from '../progress-bar.ts'
import { grouped, printable } from '../terminal.ts'
import { type Found, ItemReader, type ImportFormat, type Wanted } from './item-reader.ts'
import { Sender } from './sender.ts'
import { type Source, sniffed } from './source.ts'
import { Tally } from './tally.ts'

export type Plan = Omit<Wanted, 'format'> & {
  readonly format: ImportFormat | undefined
  readonly source: Source
  readonly skipBad: boolean
  readonly dryRun: boolean
  readonly json: boolean
}

type Screen = Pick<NodeJS.WriteStream, 'isTTY' | 'write'>

export type ImportDoors = {
  readonly gateway: GatewayClient
  readonly monotonicMs: () => number
  readonly out: Screen
  readonly err: Screen
  /** Calls back when somebody wants it to stop; returns what takes that back. */
  readonly onInterrupt: (stop: () => void) => () => void
}

type Pass = { readonly tally: Tally; readonly reader: ItemReader }

/** Read as a whole before anything is sent. */
const isChecked = ({ dryRun, source }: Plan): boolean => dryRun || source.sizeBytes !== undefined

/** Throws BAD_LINES where a line that is wrong ended it, and whatever the gateway refuses with. */
export async function runImport(plan: Plan, doors: ImportDoors): Promise<void> {
  const beganMs = doors.monotonicMs()
  const sender = new Sender(doors.gateway, plan.table, plan.kind)
  const tell = (pass: Pass): void => report(plan, doors, pass, sender, doors.monotonicMs() - beganMs)
  if (isChecked(plan)) {
    const checked = await read(plan, doors, 'checking', async () => undefined)
    if (plan.dryRun || (checked.tally.bad > 0 && !plan.skipBad)) {
      tell(checked)
      if (checked.tally.bad > 0 && !plan.skipBad) throw badLines(checked, plan.dryRun)
      return
    }
  }
  await send(plan, doors, sender, tell)
}

async function send(plan: Plan, doors: ImportDoors, sender: Sender, tell: (pass: Pass) => void): Promise<void> {
  let isStopped = false
  const forget = doors.onInterrupt(() => (isStopped = true))
  let stoppedBy: string | undefined
  try {
    const pass = await read(plan, doors, 'importing', async found => {
      if (isStopped) stoppedBy = 'it was interrupted'
      else if ('item' in found) await sender.add(found.item, found.lastLine)
      else if (!plan.skipBad) stoppedBy = `line ${found.line}: ${found.fault}`
      return stoppedBy === undefined
    })
    // What stands before a line that is wrong is good.
    await sender.end()
    tell(pass)
    if (stoppedBy !== undefined) throw new HoldfastError('BAD_LINES', `${stoppedBy}; ${durable(sender)}`, again)
  } catch (error) {
    await sender.stop().catch(() => undefined)
    if (!(error instanceof HoldfastError) || error.code === 'BAD_LINES') throw error
    throw new HoldfastError(error.code, `${error.message}; ${durable(sender)}`, error.hint, error)
  } finally {
    forget()
  }
}

const again = 'the same import again goes on: what is stored already is stored once'

const durable = ({ durableLine }: Sender): string =>
  durableLine === 0 ? 'nothing is stored' : `everything up to line ${durableLine} is stored`

/** Reads all of it; `take` says whether to go on. */
async function read(
  plan: Plan,
  doors: ImportDoors,
  doing: string,
  take: (found: Found) => Promise<boolean | undefined>,
): Promise<Pass> {
  const looked = plan.format === undefined ? await sniffed(plan.source.chunks()) : undefined
  const format = plan.format ?? looked?.format ?? 'csv'
  const reader = new ItemReader({ ...plan, format })
  const tally = new Tally()
  const bar = openProgressBar(doors.err, doors.monotonicMs, doing)
  let bytes = 0
  const goesOn = async (all: readonly Found[]): Promise<boolean> => {
    for (const found of all) {
      tally.note(found)
      if ((await take(found)) === false) return false
    }
    return true
  }
  try {
    for await (const chunk of looked?.chunks ?? plan.source.chunks()) {
      bytes += chunk.length
      if (!(await goesOn(reader.take(chunk)))) return { tally, reader }
      bar.show({ bytes, rows: tally.good, ofBytes: plan.source.sizeBytes })
    }
    await goesOn(reader.end())
    return { tally, reader }
  } finally {
    bar.end()
  }
}

function badLines({ tally, reader }: Pass, dryRun: boolean): HoldfastError {
  const what = dryRun ? 'nothing would be imported' : 'nothing was imported'
  return new HoldfastError(
    'BAD_LINES',
    `${what}: ${grouped(tally.bad)} of ${grouped(reader.lines)} lines are wrong`,
    'correct them, or leave them out with --skip-bad',
  )
}

function report(plan: Plan, doors: ImportDoors, pass: Pass, sender: Sender, tookMs: number): void {
  const { tally, reader } = pass
  const { stored, duplicates, durableLine } = sender
  if (plan.json) {
    const summary = {
      table: plan.table,
      source: plan.source.name,
      dry_run: plan.dryRun,
      lines: reader.lines,
      good: tally.good,
      bad: tally.bad,
      stored,
      duplicates,
      durable_line: durableLine,
      series: plan.kind === 'series' ? tally.series : null,
      from: tally.range?.from ?? null,
      to: tally.range?.to ?? null,
      unused: reader.unused,
      problems: tally.problems,
      seconds: tookMs / 1_000,
    }
    doors.out.write(`${JSON.stringify(summary)}\n`)
    return
  }
  // One that ended it is told with what came of it.
  const isEnded = tally.bad > 0 && !plan.skipBad
  if (!isEnded || isChecked(plan)) tellProblems(tally, doors.err)
  if (reader.unused.length > 0) doors.err.write(`not imported: ${printable(reader.unused.join(', '))}\n`)
  if (!isEnded) doors.out.write(`${printable(sentenceOf(plan, pass, sender, tookMs))}\n`)
}

function tellProblems({ bad, problems }: Tally, err: Screen): void {
  for (const { line, reason } of problems) err.write(`line ${line}: ${printable(reason)}\n`)
  if (bad > problems.length) err.write(`... and ${grouped(bad - problems.length)} more\n`)
}

function sentenceOf(plan: Plan, { tally }: Pass, { stored, duplicates }: Sender, tookMs: number): string {
  const what = plan.kind === 'series' ? 'readings' : 'rows'
  const leftOut = tally.bad > 0 ? `, ${grouped(tally.bad)} lines left out` : ''
  if (plan.dryRun) {
    const range = tally.range === undefined ? '' : ` from ${tally.range.from} to ${tally.range.to}`
    const series = plan.kind === 'series' ? ` of ${grouped(tally.series)} series` : ''
    return `${plan.table}: ${grouped(tally.good)} ${what}${series}${range} would be imported${leftOut}`
  }
  const rate = grouped(perSecond(tally.good, tookMs))
  const before = duplicates > 0 ? `, ${grouped(duplicates)} were stored before` : ''
  return `${plan.table}: ${grouped(stored)} ${what} stored${before}${leftOut}, ${(tookMs / 1_000).toFixed(1)} s (${rate} a second)`
}
