/**
 * Where damaged files and values go: `<path>/quarantine/<UTC time>-<n>/`, with a `report.json` that says what was found,
 * what was done about it and what is lost. For people who want to look closer; nothing in the store depends on it.
 *
 * It must never fill the disk [I6]: only the newest few are kept, of so many bytes in all, and where space is short
 * the report stands alone.
 */
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { syncPath } from '../folder.ts'
import { writeSynced } from './files.ts'

const kept = 8
const bytesMax = 64 << 20
/** Space that stays free for what the gateway lives on. */
const spareBytes = 128 << 20

export type Kept = { readonly name: string; readonly bytes: Buffer }

export class Quarantine {
  readonly #folder: string
  readonly #now: () => number

  constructor(storeFolder: string, now: () => number) {
    this.#folder = join(storeFolder, 'quarantine')
    this.#now = now
  }

  /** Puts files and their report aside; returns the folder's name, which also names the report. */
  put(files: Iterable<Kept>, report: object): string {
    mkdirSync(this.#folder, { recursive: true, mode: 0o750 })
    const name = this.#newName()
    const folder = join(this.#folder, name)
    mkdirSync(folder, { mode: 0o750 })
    const left: string[] = []
    let bytes = 0
    for (const file of files) {
      bytes += file.bytes.length
      if (bytes <= bytesMax && this.#freeBytes() > spareBytes + file.bytes.length) {
        writeSynced(join(folder, file.name), file.bytes)
      } else left.push(file.name)
    }
    const text = JSON.stringify({ ...report, not_kept: left.length > 0 ? left : undefined }, undefined, 2)
    writeSynced(join(folder, 'report.json'), Buffer.from(`${text}\n`))
    syncPath(folder)
    syncPath(this.#folder)
    this.#prune()
    return name
  }

  /** The reports that are kept, oldest first. One that cannot be read is passed over: it is only for people. */
  reports(): { readonly name: string; readonly report: unknown }[] {
    return this.#names().flatMap(name => {
      try {
        const text = readFileSync(join(this.#folder, name, 'report.json'), 'utf8')
        return [{ name, report: JSON.parse(text) as unknown }]
      } catch {
        return []
      }
    })
  }

  status(): { readonly folders: number; readonly bytes: number } {
    const names = this.#names()
    return { folders: names.length, bytes: names.reduce((sum, name) => sum + this.#bytesOf(name), 0) }
  }

  #newName(): string {
    const time = new Date(this.#now()).toISOString().replaceAll(/[-:]|\.\d+/g, '')
    const last = this.#names().at(-1)?.split('-').at(-1) ?? '0'
    return `${time}-${String(Number(last) + 1).padStart(4, '0')}`
  }

  /** In the order in which they came: by their number, for clocks are wrong. */
  #names(): string[] {
    const numberOf = (name: string): number => Number(name.split('-').at(-1))
    try {
      const names = readdirSync(this.#folder).filter(name => /^\w+-\d+$/.test(name))
      return names.toSorted((a, b) => numberOf(a) - numberOf(b))
    } catch {
      return []
    }
  }

  #prune(): void {
    const names = this.#names()
    let bytes = names.reduce((sum, name) => sum + this.#bytesOf(name), 0)
    for (const [at, name] of names.entries()) {
      if ((names.length - at <= kept && bytes <= bytesMax) || at === names.length - 1) return
      bytes -= this.#bytesOf(name)
      rmSync(join(this.#folder, name), { recursive: true, force: true })
    }
  }

  #bytesOf(name: string): number {
    const folder = join(this.#folder, name)
    return readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0)
  }

  #freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.#folder)
    return bavail * bsize
  }
}
