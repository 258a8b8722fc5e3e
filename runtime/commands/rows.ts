/** How readings, records and rows stand in the columns of a terminal, and how they get there. */
import type { EntryForm, ReadingForm, RowForm } from '../api/forms.ts'
import type { Json } from '../reading.ts'
import { type Cell, Columns, terminalOf } from './terminal.ts'

/** The value comes last, because it alone may be long. */
export const readingTitles = ['time', 'origin', 'device', 'metric', 'value']

export function readingCells(reading: ReadingForm): readonly Cell[] {
  const { device, metric, value, unit, origin } = reading
  return [
    readingTime(reading),
    origin,
    device,
    metric,
    unit === null ? valueText(value) : `${valueText(value)} ${unit}`,
  ]
}

export const rowTitles = ['key', 'time', 'origin', 'value']

export function rowCells({ key, time, origin, value }: RowForm): readonly Cell[] {
  return [key, timeCell(time), origin, valueText(value)]
}

/** A tail shows where it is in the log, so that gaps and repeats can be seen. */
export function entryTitles(first: EntryForm): readonly string[] {
  return first.kind === 'record' ? ['>seq', 'time', 'key', 'origin', 'value'] : ['>seq', ...readingTitles]
}

export function entryCells(entry: EntryForm): readonly Cell[] {
  switch (entry.kind) {
    case 'reading':
      return [String(entry.seq), ...readingCells(entry)]
    case 'record': {
      const value: Cell = entry.deleted ? { text: '(deleted)', style: 'dim' } : valueText(entry.value)
      return [String(entry.seq), timeCell(entry.time), entry.key, entry.origin, value]
    }
    case 'gap': {
      const text = `gap: ${entry.count} entries from ${entry.first_seq} are not in the log: ${entry.reason}`
      return [String(entry.seq), { text, style: 'yellow' }]
    }
  }
}

/** Waits until the reader of our output has taken it, so that nothing piles up here. */
export async function writeOut(text: string | Uint8Array): Promise<void> {
  if (!process.stdout.write(text)) await new Promise(resolve => process.stdout.once('drain', resolve))
}

/** A time that may be wrong must not look like one that is right. */
function readingTime(reading: ReadingForm): Cell {
  return isDoubtful(reading) ? { text: `${reading.time ?? '-'} ?`, style: 'yellow' } : timeCell(reading.time)
}

function isDoubtful({ clock, device_time_ms: deviceTime }: ReadingForm): boolean {
  return clock === 'untrusted' && deviceTime === null
}

/** Says once what a time with a ? is, if one was shown: beside the rows, which may go on into another program. */
export class DoubtNote {
  #isDue = false
  #isSaid = false

  watch(entry: EntryForm): void {
    if (entry.kind === 'reading') this.#isDue ||= isDoubtful(entry)
  }

  /** The note, the first time that it is due. */
  take(): string {
    if (!this.#isDue || this.#isSaid) return ''
    this.#isSaid = true
    return 'holdfast: a time with a ? is of when the gateway did not know the time; it is put right once it does (holdfast status).\n'
  }
}

const timeCell = (time: string | null): Cell => ({ text: time ?? '-', style: 'dim' })
const valueText = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** Rows that are drawn together; columns are as wide as the widest of them. */
const pageRows = 500

/** Prints items as they come, in pages; resolves with how many there were. */
export async function printItems<Form>(
  items: AsyncIterable<Form>,
  titles: readonly string[],
  cells: (item: Form) => readonly Cell[],
  json: boolean,
): Promise<number> {
  const columns = new Columns(titles, terminalOf(process.stdout))
  let page: (readonly Cell[])[] = []
  let count = 0
  const flush = async (): Promise<void> => {
    const head = count <= pageRows ? columns.head(page) : ''
    await writeOut(head + columns.lines(page))
    page = []
  }
  for await (const item of items) {
    count++
    if (json) await writeOut(`${JSON.stringify(item)}\n`)
    else if (page.push(cells(item)) === pageRows) await flush()
  }
  if (!json && (page.length > 0 || count === 0)) await flush()
  return count
}
