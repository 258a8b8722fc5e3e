/**
 * Gateways and hubs as processes of their own, each in a folder of its own: started from the text of a configuration,
 * asked over the control socket, ended in peace or killed, started again on what is left.
 *
 * Promises: every process that was started is ended by its id, also when a test fails; every folder is removed. Nothing
 * here measures time: what takes a while is asked for again until it holds, up to a generous cap.
 */
import assert from 'node:assert/strict'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { AlertRow } from '../../rules/alert/alert.ts'
import type { ReadingForm, RowForm } from '../../runtime/api/forms.ts'
import type { BridgeSection, GatewayStatus } from '../../runtime/api/status.ts'
import { type GatewayClient, gatewayClient, tablePath } from '../../runtime/commands/gateway-client.ts'
import type { Json } from '../../runtime/reading.ts'
import { linesFrom, start } from '../commands/holdfast.ts'

export type LogLine = { readonly level: string; readonly msg: string } & Readonly<Record<string, unknown>>

/** What is written into a program's folder before it starts. */
export type Files = { readonly config: string; readonly rules?: string | undefined }

/** Small enough for a temporary folder, and quick to acknowledge. */
export const storeConfig = 'store: { path: ./data, commit_interval: 5ms, ballast: 1MB }'

/** Here what has come waits for its commit, so that a kill is sure to find something that is not on the disk yet. */
export const slowStoreConfig = 'store: { path: ./data, commit_interval: 300ms, ballast: 1MB }'

/** Where a test keeps its programs. Everything is ended and removed after the test, or by `remove`. */
export class Site {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-e2e-'))
  readonly #programs: Program[] = []

  constructor(test?: TestContext) {
    test?.after(() => this.remove())
  }

  /** `on` is what to write before its command, to run it on another host. */
  program(name: string, files: Files, on: readonly string[] = []): Program {
    const folder = join(this.folder, name)
    mkdirSync(join(folder, 'rules'), { recursive: true })
    const program = new Program(folder, on)
    program.write(files)
    this.#programs.push(program)
    return program
  }

  async remove(): Promise<void> {
    await Promise.all(this.#programs.map(program => program.kill()))
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** One gateway or hub. The folder outlives the process: `start` after `kill` is a restart. */
export class Program {
  readonly folder: string
  /** The path of its configuration. */
  readonly config: string
  readonly client: GatewayClient
  /** What it has logged since it was last started. */
  heard: LogLine[] = []
  #errors = ''
  #child: ChildProcessWithoutNullStreams | undefined

  readonly #on: readonly string[]

  constructor(folder: string, on: readonly string[]) {
    this.folder = folder
    this.#on = on
    this.config = join(folder, 'holdfast.yaml')
    this.client = gatewayClient(join(folder, 'data', 'holdfast.sock'))
  }

  write({ config, rules }: Files): void {
    writeFileSync(this.config, config)
    if (rules !== undefined) this.writeRules(rules)
  }

  writeRules(text: string): void {
    writeFileSync(join(this.folder, 'rules', 'rules.yaml'), text)
  }

  /** How it ended, if it did so by itself: by what code or signal, and what it said on standard error. */
  get end(): string {
    const { exitCode = null, signalCode = null } = this.#child ?? {}
    return `code ${exitCode}, signal ${signalCode}: ${this.#errors.slice(-2_000)}`
  }

  get pid(): number {
    return this.#child?.pid ?? assert.fail('it does not run')
  }

  /** Resolves once it says that it is ready. */
  async start(): Promise<void> {
    await this.spawn().ready
  }

  /** Starts it without waiting; `ready` rejects if it ends before, unless it was killed. */
  spawn(): { readonly ready: Promise<void> } {
    assert.equal(this.#child, undefined, 'it runs already')
    const child = start(['run', '--config', this.config], { on: this.#on })
    this.#child = child
    this.heard = []
    this.#errors = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#errors += text))
    killAtExit(child)
    return { ready: this.#listen(child) }
  }

  #listen(child: ChildProcessWithoutNullStreams): Promise<void> {
    return new Promise((resolve, reject) => {
      const listen = async (): Promise<void> => {
        for await (const line of linesFrom(child)) {
          const said = JSON.parse(line) as LogLine
          this.heard.push(said)
          if (said.msg === 'ready') resolve()
        }
        if (this.#child === child) reject(new Error(`it ended before it was ready: ${this.#errors}`))
        else resolve()
      }
      listen().catch(reject)
    })
  }

  /** Ends it as systemd does. It must go in peace. */
  async stop(): Promise<void> {
    const child = this.#leave()
    if (!child) return
    const ended = once(child, 'close')
    child.kill('SIGTERM')
    assert.deepEqual(await ended, [0, null], this.#errors)
    assert.equal(this.#errors, '')
  }

  /** Ends it as a power cut does to a process. */
  async kill(): Promise<void> {
    const child = this.#leave()
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'close')
    child.kill('SIGKILL')
    await ended
  }

  #leave(): ChildProcessWithoutNullStreams | undefined {
    const child = this.#child
    this.#child = undefined
    return child
  }

  status(): Promise<GatewayStatus> {
    return this.client.get('/status')
  }

  async bridge(): Promise<BridgeSection> {
    const { bridges } = await this.status()
    return bridges[0] ?? assert.fail('there is no bridge')
  }

  /** All that a series table holds, in the order of its log. */
  async readings(table = 'readings'): Promise<ReadingForm[]> {
    const readings = await all(this.client.lines<ReadingForm>(tablePath(table, 'readings')))
    return readings.toSorted((a, b) => a.seq - b.seq)
  }

  rows(table: string): Promise<RowForm[]> {
    return all(this.client.lines(tablePath(table, 'rows')))
  }

  async alerts(): Promise<AlertRow[]> {
    return (await this.rows('alerts')).map(({ value }) => value as unknown as AlertRow)
  }

  put(table: string, key: string, value: Json): Promise<RowForm> {
    return this.client.put(tablePath(table, 'rows', key), value)
  }
}

/** Asks again until nothing fails; at the cap, the last failure is the test's. */
export async function eventually<T>(check: () => Promise<T> | T, capMs = 90_000): Promise<T> {
  const endMs = performance.now() + capMs
  for (;;) {
    try {
      return await check()
    } catch (error) {
      if (performance.now() > endMs) throw error
    }
    await pause(50)
  }
}

export const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/**
 * A port that nobody has, below those that the kernel gives to connections: it must still be free when a program that
 * was killed starts again.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000)
    const server = createServer()
    const isFree = await new Promise<boolean>(resolve => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    await new Promise(resolve => server.close(resolve))
    return port
  }
}

/** A test that is itself ended must not leave its programs behind. */
function killAtExit(child: ChildProcessWithoutNullStreams): void {
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('exit', () => process.off('exit', kill))
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}
