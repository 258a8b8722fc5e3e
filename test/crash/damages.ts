/**
 * Copies of a database are damaged at random, and opened: bytes flipped, stretches zeroed, files cut short or deleted.
 *
 * Each must open by itself and take the next commit. A reading that is found has its own value and is there once; one that
 * was acknowledged and is not found must stand in a gap that followers are told, or behind a head that has gone back.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { messageOf } from '../../runtime/errors.ts'
import { silentLog } from '../../runtime/log.ts'
import { Store } from '../../runtime/store/store.ts'
import { asSeq } from '../../runtime/store/types.ts'
import { changesOf, CountingStamps, numberOf, readingsPerStep, tables } from '../rigs/plan.ts'
import { type Random, randomOf } from '../rigs/random.ts'
import { fastFolder } from '../rigs/replay.ts'
import type { WriterOptions } from '../rigs/writer.ts'
import type { Counted, Progress } from './part.ts'

const steps = 400
const paddingBytes = 200
const acknowledged = steps * readingsPerStep

export async function damageCopies(rounds: number, seed: number, progress: Progress): Promise<Counted> {
  const home = mkdtempSync(join(fastFolder(), 'holdfast-damage-'))
  try {
    const whole = join(home, 'whole')
    write(whole)
    const problems: string[] = []
    let [missing, lost, openedByItself, repaired, cutEnds] = [0, 0, 0, 0, 0]
    for (let round = 1; round <= rounds; round++) {
      const path = join(home, 'copy')
      rmSync(path, { recursive: true, force: true })
      cpSync(whole, path, { recursive: true })
      const what = damage(join(path, 'db'), randomOf(seed, round))
      const found = await look(path)
      if (found.opened) openedByItself++
      if (found.isMended) repaired++
      // A log that was cut short, or is zeros from some point on, looks as one that a power cut left: nobody can tell.
      if (found.isEndSilent && !what.includes('deleted')) cutEnds++
      else if (found.isEndSilent) problems.push(`round ${round}, ${what}: its end is gone, and nothing says so`)
      missing += found.untold
      lost += found.missing
      for (const problem of found.problems) problems.push(`round ${round}, ${what}: ${problem}`)
      progress(round, rounds)
    }
    const note = `${lost.toLocaleString('en')} readings were hit and told; ${cutEnds} logs lost their end as in a power cut`
    return { rounds, acknowledged: acknowledged * rounds, missing, openedByItself, repaired, problems, note }
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

/** Packed and trimmed now and then, and killed at the end: files of every kind. */
function write(path: string): void {
  const options: WriterOptions = { path, steps, paddingBytes, packEvery: 60, end: 'kill' }
  const program = fileURLToPath(new URL('../rigs/writer.js', import.meta.url))
  spawnSync(process.execPath, [program, JSON.stringify(options)], { stdio: 'ignore' })
}

/** Harms one file, and says how. LevelDB's diary and its lock hold no data. */
function damage(folder: string, random: Random): string {
  const names = readdirSync(folder).filter(name => !/^LOG|^LOCK$/.test(name))
  const name = names[random.below(names.length)] as string
  const file = join(folder, name)
  const bytes = readFileSync(file)
  const at = random.below(Math.max(1, bytes.length))
  switch (random.below(5)) {
    case 0:
      rmSync(file)
      return `${name} deleted`
    case 1:
      truncateSync(file, at)
      return `${name} cut to ${at} of ${bytes.length} bytes`
    case 2: {
      const length = 1 + random.below(4_096)
      bytes.fill(0, at, Math.min(bytes.length, at + length))
      writeFileSync(file, bytes)
      return `${name} zeroed at ${at}+${length}`
    }
    default: {
      const count = 1 + random.below(16)
      for (let done = 0; done < count && bytes.length > 0; done++) {
        const place = random.below(bytes.length)
        bytes[place] = (bytes[place] as number) ^ (1 << random.below(8))
      }
      writeFileSync(file, bytes)
      return `${count} bits of ${name} flipped`
    }
  }
}

type Found = {
  readonly opened: boolean
  readonly isMended: boolean
  /** The newest readings are gone, and the store does not say that anything was wrong. */
  readonly isEndSilent: boolean
  /** Acknowledged readings that are not there, and those of them that nobody is told of. */
  readonly missing: number
  readonly untold: number
  readonly problems: readonly string[]
}

async function look(path: string): Promise<Found> {
  const problems: string[] = []
  let store: Store
  try {
    store = await Store.open({
      path,
      tables,
      stamps: new CountingStamps(),
      origin: 'edge',
      commitIntervalMs: 0,
      ballastBytes: 64 * 1024,
      logRoomBytes: 4 << 10,
      monotonicMs: () => performance.now(),
      now: () => Date.now(),
      log: silentLog,
    })
  } catch (error) {
    const problem = `it cannot be opened: ${messageOf(error)}`
    return {
      opened: false,
      isMended: false,
      isEndSilent: false,
      missing: acknowledged,
      untold: acknowledged,
      problems: [problem],
    }
  }
  try {
    const seen = new Set<number>()
    for await (const { value } of store.query('readings', {})) {
      const number = numberOf(value, paddingBytes)
      if (number === undefined) problems.push('a reading has a value that was never written')
      else if (seen.has(number)) problems.push(`reading ${number} is there twice`)
      else seen.add(number)
    }
    const told = await gapsOf(store)
    const isTold = (number: number): boolean => told.some(([from, to]) => number >= from && number <= to)
    const [missing, untold] = [[] as number[], [] as number[]]
    for (let number = 1; number <= acknowledged; number++) {
      if (seen.has(number)) continue
      missing.push(number)
      if (!isTold(number)) untold.push(number)
    }
    if (untold.length > 0)
      problems.push(`${untold.length} are missing and untold, from ${untold[0]} to ${untold.at(-1)}`)
    const { repairs, damagedValues } = store.status()
    const isMended = repairs > 0 || damagedValues > 0
    const isEndSilent = store.head('readings') < acknowledged && repairs === 0
    await store.commit(changesOf(steps + 1, paddingBytes), 'now')
    return { opened: true, isMended, isEndSilent, missing: missing.length, untold: untold.length, problems }
  } catch (error) {
    problems.push(messageOf(error))
    return { opened: true, isMended: true, isEndSilent: false, missing: 0, untold: 0, problems }
  } finally {
    await store.close()
  }
}

/** What a follower that begins at the beginning is told to be gone; beyond the head nothing is claimed to be there. */
async function gapsOf(store: Store): Promise<(readonly [number, number])[]> {
  const gaps: (readonly [number, number])[] = []
  const head = Number(store.head('readings'))
  let position = 0
  while (position < head) {
    const entries = await store.read('readings', asSeq(position), 5_000)
    const last = entries.at(-1)
    if (last === undefined) throw new Error(`the log ends at ${position}, not at ${head}`)
    for (const entry of entries) if (entry.kind === 'gap') gaps.push([entry.firstSeq, entry.seq])
    position = last.seq
  }
  gaps.push([head + 1, Number.POSITIVE_INFINITY])
  return gaps
}
