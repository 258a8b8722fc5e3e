/**
 * What expressions are answered: laid out once, and changed from one question to the next. It notes the rows that were
 * asked for, so that an alert can say what fired it.
 */
import type { Json, Value } from '../../runtime/reading.ts'
import type { History, LookedUp, Scope } from '../expression/scope.ts'
import { nowOf } from './histories.ts'
import { lookedUpCharactersMax, lookedUpMax } from './limits.ts'
import type { Lookup } from './threshold.ts'
import { type JudgedReading, type JudgedSeries, timeOf } from './reading.ts'
import { type Track } from './track.ts'
import type { Tracks } from './tracks.ts'

type Doors = {
  readonly lookup: Lookup
  readonly labelsOf: (device: string) => Readonly<Record<string, string>>
}

export class Answers implements Scope {
  device = ''
  metric = ''
  unit: string | undefined = undefined
  origin = ''
  nowMs = 0
  own: History = nobody
  readonly #doors: Doors
  readonly #tracks: Tracks
  readonly #late = new LateReading()
  #isLate = false
  readonly #asked: LookedUp[] = []

  constructor(doors: Doors, tracks: Tracks) {
    this.#doors = doors
    this.#tracks = tracks
  }

  /** The questions that follow are about a track as it is now, or with the reading that it has just got. */
  about(track: Track, atMs: number, timeMs: number | undefined): void {
    const kept = track.group ?? track.entry?.history
    // Of a series the windows end at the own time of its reading; of a group at the arrival.
    if (kept) kept.feed.moveTo(kept.entry && timeMs !== undefined ? timeMs : nowOf(kept, atMs))
    this.#layOut(track.about ?? track.subject, atMs, kept?.feed ?? nobody)
  }

  /** They are about a reading that came late: nothing but itself is known of that time. */
  aboutLate(reading: JudgedReading): void {
    this.#late.become(reading)
    this.#layOut(reading.series, timeOf(reading), this.#late)
    this.#isLate = true
  }

  /** Rows that were asked for, in a form that is small whatever is in them. */
  takeLookedUp(): readonly LookedUp[] {
    return this.#asked.slice(0, lookedUpMax).map(row => ({ ...row, value: shortened(row.value) }))
  }

  other(device: string | undefined, metric: string): History | undefined {
    if (this.#isLate) return undefined
    const entry = this.#tracks.named(this.origin, device ?? this.device, metric)
    if (!entry?.history) return undefined
    entry.history.feed.moveTo(nowOf(entry.history, this.nowMs))
    return entry.history.feed
  }

  row(table: string, key: string): LookedUp | undefined {
    const found = this.#doors.lookup(table, key)
    if (!found) return undefined
    const row = { table, key, value: found.value, stamp: found.stamp }
    if (this.#asked.length < lookedUpMax && !this.#asked.some(asked => asked.key === key && asked.table === table)) {
      this.#asked.push(row)
    }
    return row
  }

  label(name: string): string | undefined {
    const labels = this.#doors.labelsOf(this.device)
    return Object.hasOwn(labels, name) ? labels[name] : undefined
  }

  #layOut({ device, metric, unit, origin }: JudgedSeries, nowMs: number, own: History): void {
    this.device = device
    this.metric = metric
    this.unit = unit
    this.origin = origin
    this.nowMs = nowMs
    this.own = own
    this.#isLate = false
    this.#asked.length = 0
  }
}

/** Nothing was ever read. */
const nobody: History = {
  value: undefined,
  timeMs: undefined,
  atMs: undefined,
  previous: undefined,
  window: () => undefined,
}

class LateReading implements History {
  value: Value | undefined = undefined
  timeMs: number | undefined = undefined
  atMs: number | undefined = undefined
  readonly previous = undefined

  become(reading: JudgedReading): void {
    this.value = reading.value
    this.timeMs = timeOf(reading)
    this.atMs = this.timeMs
  }

  window(): undefined {
    return undefined
  }
}

function shortened(value: Json): Json {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length <= lookedUpCharactersMax ? value : `${text.slice(0, lookedUpCharactersMax)}…`
}
