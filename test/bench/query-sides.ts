/**
 * The two sides of the benchmark of queries: our store, and SQLite by better-sqlite3. Each is asked in the process that
 * wants the answer, and gives the same: times and values of readings in typed arrays, by time.
 *
 * Of SQLite the form is taken that favours it most for these questions: names as integers, an index that has the value too
 * (so that no row is looked up beside it), made after loading, a large page cache and the file mapped into memory; and
 * readings come out as two arrays of JSON, which is several times faster than a JavaScript object or array for each row.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { silentLog } from '../../runtime/log.ts'
import { Store } from '../../runtime/store/store.ts'
import type { Arrival } from '../../runtime/store/types.ts'
import { testStamps } from '../store/homes.ts'
import { type Stored, fastDevice, metric, readings, slowDevice, slowDevices } from './stored.ts'

export type Answer = { readonly times: Float64Array; readonly values: Float64Array }

export type Side = {
  range(device: string, fromMs: number, toMs: number): Promise<Answer>
  /** Of the slow devices. */
  latest(): Promise<Answer>
  close(): Promise<void>
}

export type Kept = {
  readonly name: string
  load(count: number, tell: (done: number) => void): Promise<void>
  open(): Promise<Side>
  /** The files, which a cold start must not find in memory. */
  files(): readonly string[]
}

/** As large as a commit may well be: about 4,000 readings a group. */
const perCommit = 4_096

export function ours(folder: string): Kept {
  const path = join(folder, 'ours')
  const open = (): Promise<Store> =>
    Store.open({
      path,
      tables: [{ name: 'readings', kind: 'series' }],
      stamps: testStamps(),
      origin: 'gw-1',
      commitIntervalMs: 0,
      ballastBytes: 0,
      monotonicMs: () => performance.now(),
      now: () => Date.now(),
      log: silentLog,
    })
  return {
    name: 'ours',
    files: () => filesIn(path),
    async load(count, tell) {
      const store = await open()
      let batch: Arrival[] = []
      let done = 0
      const flush = async (): Promise<void> => {
        await store.commit([{ kind: 'append', table: 'readings', readings: batch }])
        done += batch.length
        tell(done)
        batch = []
      }
      for (const reading of readings(count)) {
        batch.push(arrivalOf(reading))
        if (batch.length === perCommit) await flush()
      }
      await flush()
      await store.close()
    },
    async open() {
      const store = await open()
      return {
        range: (device, fromMs, toMs) => columns(store, device, fromMs, toMs),
        latest: () => latest(store),
        close: () => store.close(),
      }
    },
  }
}

const arrivalOf = ({ device, timeMs, value }: Stored): Arrival => ({
  device,
  metric,
  value,
  deviceTimeMs: undefined,
  id: undefined,
  unit: undefined,
  arrivalMs: timeMs,
  joined: false,
})

async function columns(store: Store, device: string, fromMs: number, toMs: number): Promise<Answer> {
  const times: Float64Array[] = []
  const values: Float64Array[] = []
  for await (const block of store.readings.columns('readings', { device, metric, fromMs, toMs })) {
    times.push(block.times)
    values.push(block.values as Float64Array)
  }
  return { times: joined(times), values: joined(values) }
}

function joined(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

async function latest(store: Store): Promise<Answer> {
  const [times, values] = [new Float64Array(slowDevices), new Float64Array(slowDevices)]
  let at = 0
  for await (const { arrivalMs, value } of store.readings.latest('readings', { device: 'sensor-*', metric })) {
    times[at] = arrivalMs
    values[at++] = value as number
  }
  return { times, values }
}

/** As much of better-sqlite3 as is used. */
type Statement = {
  raw(): Statement
  run(...values: readonly unknown[]): unknown
  all(...values: readonly unknown[]): (readonly unknown[])[]
}
type Database = {
  exec(sql: string): void
  pragma(text: string): unknown
  prepare(sql: string): Statement
  close(): void
}

export const peerFolder = join(process.cwd(), 'test/bench/peer')

/** It is compiled, once; it is no dependency of the project. */
export function installPeer(say: (text: string) => void): void {
  if (existsSync(join(peerFolder, 'node_modules/better-sqlite3'))) return
  say('installing the peer (better-sqlite3 is compiled: this takes some minutes, once)')
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefix', peerFolder], { stdio: 'ignore' })
}

const idOf = (device: string): number => (device === fastDevice ? 0 : Number(device.slice('sensor-'.length)) + 1)

export function sqlite(folder: string): Kept {
  const path = join(folder, 'readings.sqlite')
  const open = (): Database => {
    const make = createRequire(join(peerFolder, 'package.json'))('better-sqlite3') as new (path: string) => Database
    const database = new make(path)
    for (const text of ['journal_mode = WAL', 'cache_size = -262144', 'mmap_size = 4294967296']) database.pragma(text)
    return database
  }
  return {
    name: 'SQLite',
    files: () => [path],
    load(count, tell) {
      const database = open()
      database.pragma('synchronous = OFF')
      database.exec(`
        CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE readings (device INTEGER, metric INTEGER, time INTEGER, value REAL)`)
      const name = database.prepare('INSERT INTO names VALUES (?, ?)')
      name.run(0, fastDevice)
      for (let device = 0; device < slowDevices; device++) name.run(device + 1, slowDevice(device))
      const insert = database.prepare('INSERT INTO readings VALUES (?, 1, ?, ?)')
      let done = 0
      database.exec('BEGIN')
      for (const { device, timeMs, value } of readings(count)) {
        insert.run(idOf(device), timeMs, value)
        if (++done % 100_000 === 0) tell(done)
      }
      database.exec('COMMIT')
      database.exec('CREATE INDEX by_series ON readings (device, metric, time, value)')
      database.exec('ANALYZE')
      database.close()
      return Promise.resolve()
    },
    open: () => Promise.resolve(asked(open())),
  }
}

function asked(database: Database): Side {
  const id = database.prepare('SELECT id FROM names WHERE name = ?').raw()
  const range = database
    .prepare(`
      SELECT json_group_array(time), json_group_array(value) FROM (
        SELECT time, value FROM readings WHERE device = ? AND metric = 1 AND time >= ? AND time < ? ORDER BY time)`)
    .raw()
  // One statement: quicker than one for each device, and than grouping the whole index.
  const each = database
    .prepare(`
      SELECT time, value FROM names, readings WHERE names.name GLOB 'sensor-*' AND readings.rowid = (
        SELECT rowid FROM readings WHERE device = names.id AND metric = 1 ORDER BY time DESC LIMIT 1)
      ORDER BY names.name`)
    .raw()
  return {
    range: (device, fromMs, toMs) => Promise.resolve(parsed(range.all(id.all(device)[0]?.[0], fromMs, toMs)[0])),
    latest: () => Promise.resolve(arrays(each.all() as (readonly number[])[])),
    close: () => Promise.resolve(database.close()),
  }
}

function parsed(row: readonly unknown[] | undefined): Answer {
  const [times = '[]', values = '[]'] = row as readonly string[]
  return {
    times: Float64Array.from(JSON.parse(times) as number[]),
    values: Float64Array.from(JSON.parse(values) as number[]),
  }
}

function arrays(rows: readonly (readonly number[])[]): Answer {
  const [times, values] = [new Float64Array(rows.length), new Float64Array(rows.length)]
  for (let row = 0; row < rows.length; row++) {
    const [time, value] = rows[row] as readonly [number, number]
    times[row] = time
    values[row] = value
  }
  return { times, values }
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map(name => join(folder, name))
    .filter(path => statSync(path).isFile())
}

/** What a database takes on disk. */
export const bytesOf = (kept: Kept): number => kept.files().reduce((sum, path) => sum + statSync(path).size, 0)

/** Takes files out of the page cache: the next who reads them reads the disk. */
export function forget(kept: Kept): void {
  for (const path of kept.files()) {
    execFileSync('dd', [`of=${path}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0', 'status=none'])
  }
}
