/**
 * The full-disk rig: a small real file system, filled to its last byte under a running writer, and given back; again and
 * again; then the writer is killed and the store inspected. At the end the store is opened on the full disk itself.
 *
 * It needs root to mount. It must leave nothing mounted behind.
 */
import { type ChildProcess, fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from './inspect.ts'
import { readingsPerStep } from './plan.ts'
import type { WriterMessage, WriterOptions } from './writer.ts'

export type FullDiskOptions = {
  readonly fileSystem: 'ext4' | 'tmpfs'
  readonly cycles: number
  readonly progress?: (done: number, all: number) => void
}

export type FullDiskResult = {
  readonly cycles: number
  readonly acknowledged: number
  readonly missing: number
  /** Commits that were refused while the disk was full. */
  readonly refused: number
  /** Cycles after which the writer went on by itself. */
  readonly resumed: number
  /** The store could be opened on the full disk. */
  readonly bootedFull: boolean
  readonly problems: readonly string[]
}

const diskMegabytes = 96
const ballastBytes = 4 << 20
const paddingBytes = 200
/** Far more than the store takes to notice that there is space again. */
const patienceMs = 30_000

export type SmallDisk = {
  readonly folder: string
  /** Bytes that came to the device, the file system's journal among them; undefined where there is no device. */
  writtenBytes(): number | undefined
  unmount(): void
}

/** A small file system of its own, or one sentence that says why there can be none. */
export function mountSmallDisk(fileSystem: 'ext4' | 'tmpfs', megabytes = diskMegabytes): SmallDisk | string {
  const home = mkdtempSync(join(tmpdir(), 'holdfast-disk-'))
  const folder = join(home, 'disk')
  mkdirSync(folder)
  const image = join(home, 'image')
  const size = `${megabytes}M`
  const commands: readonly (readonly [string, ...string[]])[] =
    fileSystem === 'tmpfs'
      ? [['mount', '-t', 'tmpfs', '-o', `size=${size}`, 'holdfast-test', folder]]
      : [
          ['truncate', '-s', size, image],
          // All of it made at once: else the kernel goes on writing tables for minutes, and somebody counts that.
          ['mke2fs', '-q', '-t', 'ext4', '-m', '0', '-E', 'lazy_itable_init=0,lazy_journal_init=0', image],
          ['mount', '-o', 'loop', image, folder],
        ]
  for (const [command, ...args] of commands) {
    const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
    if (status === 0) continue
    rmSync(home, { recursive: true, force: true })
    const why = error?.message ?? stderr.trim().split('\n')[0] ?? ''
    return `The full-disk rig needs to mount a small ${fileSystem} file system, which takes root and the Debian packages mount and e2fsprogs: ${why}`
  }
  const device = deviceOf(folder)
  return {
    folder,
    writtenBytes: () => (device === undefined ? undefined : sectorsWritten(device) * 512),
    unmount() {
      const { status, stderr } = spawnSync('umount', [folder], { encoding: 'utf8' })
      if (status !== 0) throw new Error(`${folder} cannot be unmounted: ${stderr}`)
      rmSync(home, { recursive: true, force: true })
    },
  }
}

/** `loop3`, if a device of the kernel is mounted there. */
function deviceOf(folder: string): string | undefined {
  const line = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .find(each => each.split(' ')[1] === folder)
  return /^\/dev\/(\w+) /.exec(line ?? '')?.[1]
}

/** The seventh number of a block device's stat, in units of 512 bytes whatever the device's own are. */
function sectorsWritten(device: string): number {
  return Number(readFileSync(`/sys/block/${device}/stat`, 'utf8').trim().split(/\s+/)[6])
}

export async function fillDisk(disk: SmallDisk, options: FullDiskOptions): Promise<FullDiskResult> {
  const path = join(disk.folder, 'store')
  const filler = join(disk.folder, 'filler')
  const problems: string[] = []
  let resumed = 0
  let refused = 0
  let acknowledged = 0
  for (let cycle = 1; cycle <= options.cycles; cycle++) {
    const writer = await Writer.start({
      path,
      firstStep: acknowledged + 1,
      steps: Number.MAX_SAFE_INTEGER,
      ballastBytes,
      paddingBytes,
      pauseMs: 2,
    })
    try {
      await writer.acknowledges(acknowledged + 50)
      const before = writer.refused
      fill(filler)
      await writer.refuses(before + 5)
      rmSync(filler)
      await writer.acknowledges(writer.acknowledged + 50)
      resumed++
    } catch (error) {
      problems.push(`cycle ${cycle}: ${error instanceof Error ? error.message : String(error)}`)
    }
    await writer.kill()
    rmSync(filler, { force: true })
    refused += writer.refused
    acknowledged = Math.max(acknowledged, writer.acknowledged)
    options.progress?.(cycle, options.cycles)
  }
  const bootedFull = await bootOnFullDisk(path, filler, acknowledged, problems)
  const verdict = await inspect({ path, acknowledged: bootedFull.acknowledged, paddingBytes, ballastBytes })
  problems.push(...verdict.problems)
  return {
    cycles: options.cycles,
    acknowledged: bootedFull.acknowledged * readingsPerStep,
    missing: verdict.missing,
    refused,
    resumed,
    bootedFull: bootedFull.opened,
    problems,
  }
}

/** The store is opened when not one byte is free, and takes readings as soon as there is space. */
async function bootOnFullDisk(
  path: string,
  filler: string,
  acknowledged: number,
  problems: string[],
): Promise<{ opened: boolean; acknowledged: number }> {
  fill(filler)
  let opened = false
  let reached = acknowledged
  let writer: Writer | undefined
  try {
    writer = await Writer.start({
      path,
      firstStep: acknowledged + 1,
      steps: Number.MAX_SAFE_INTEGER,
      ballastBytes,
      paddingBytes,
      pauseMs: 2,
    })
    opened = true
    rmSync(filler)
    await writer.acknowledges(acknowledged + 20)
  } catch (error) {
    problems.push(`booting on the full disk: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (writer) {
    await writer.kill()
    reached = Math.max(acknowledged, writer.acknowledged)
  }
  rmSync(filler, { force: true })
  return { opened, acknowledged: reached }
}

/** Takes the last byte of a disk. */
export function fill(file: string): void {
  const chunk = Buffer.alloc(64 * 1024)
  const descriptor = openSync(file, 'a')
  for (let size = chunk.length; size > 0; ) {
    try {
      writeSync(descriptor, chunk, 0, size)
    } catch {
      size = Math.floor(size / 2) // Full at this size: smaller pieces may still fit.
    }
  }
  closeSync(descriptor)
}

/** The writer as a child, and what is known of it. */
class Writer {
  acknowledged = 0
  refused = 0
  readonly #child: ChildProcess
  #wake: () => void = () => undefined
  #said = ''
  #over = false

  private constructor(options: WriterOptions) {
    this.acknowledged = (options.firstStep ?? 1) - 1
    const program = fileURLToPath(new URL('./writer.js', import.meta.url))
    this.#child = fork(program, [JSON.stringify(options)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    this.#child.stderr?.on('data', chunk => (this.#said += String(chunk)))
    this.#child.once('exit', () => {
      this.#over = true
      this.#wake()
    })
    this.#child.on('message', (message: WriterMessage) => {
      if (message.kind === 'acknowledged') this.acknowledged = message.step
      if (message.kind === 'refused') this.refused++
      this.#wake()
    })
  }

  /** Resolves when the store is open. */
  static async start(options: WriterOptions): Promise<Writer> {
    const writer = new Writer(options)
    let open = false
    writer.#child.on('message', (message: WriterMessage) => (open ||= message.kind === 'open'))
    await writer.#until(() => open, 'opens the store')
    return writer
  }

  acknowledges(step: number): Promise<void> {
    return this.#until(() => this.acknowledged >= step, `acknowledges step ${step} (it is at ${this.acknowledged})`)
  }

  refuses(count: number): Promise<void> {
    return this.#until(() => this.refused >= count, `refuses ${count} commits`)
  }

  async kill(): Promise<void> {
    if (this.#over) return
    const gone = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await gone
  }

  async #until(isSo: () => boolean, what: string): Promise<void> {
    const patience = { isOver: false }
    const timer = setTimeout(() => {
      patience.isOver = true
      this.#wake()
    }, patienceMs)
    while (!isSo() && !patience.isOver && !this.#over) await new Promise<void>(resolve => (this.#wake = resolve))
    clearTimeout(timer)
    if (isSo()) return
    throw new Error(`the writer never ${what}${this.#over ? `; it ended: ${this.#said.trim()}` : ''}`)
  }
}
