/**
 * Builds the recorder (`iorec.c`), runs programs of this project under it, and makes their disk fail on request.
 *
 * It must never skip without a word: where the compiler is missing it says which packages to install, and where CI is
 * set it fails.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

/** The kinds of change that can be made to fail; `iorec.c` says what each letter stands for. */
export type FaultKind = 'C' | 'D' | 'F' | 'M' | 'P' | 'R' | 'S' | 'T' | 'U' | 'W'
export type Errno = 'EACCES' | 'EDQUOT' | 'EIO' | 'EMFILE' | 'ENOSPC' | 'EROFS'
export type Fault = {
  readonly kinds: readonly FaultKind[]
  readonly errno: Errno
  /** So many changes fail, then no more; 0: all, until `clearFault`. */
  readonly count: number
}

export type RecorderOptions = {
  /** Changes below this folder are recorded. */
  readonly root: string
  readonly recording?: string
  /** The control file of `setFault`, outside the root. */
  readonly control?: string
}

const missingCompiler =
  'The fault rigs need a C compiler to build their file recorder: install the Debian packages gcc and libc6-dev.'
let built: string | undefined

/** The path of the built library. Throws one sentence if it cannot be built. */
export function buildRecorder(): string {
  if (built) return built
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-iorec-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const library = join(folder, 'iorec.so')
  const result = spawnSync('gcc', ['-shared', '-fPIC', '-O2', '-o', library, sourceFile(), '-ldl', '-lpthread'], {
    encoding: 'utf8',
  })
  if (result.error || /stdio\.h|cannot find -lc|crti\.o/.test(result.stderr)) throw new Error(missingCompiler)
  if (result.status !== 0) throw new Error(`the file recorder does not compile: ${result.stderr}`)
  built = library
  return library
}

/** For tests: true if the recorder can be built; else skips the test with the reason, or fails it in CI. */
export function recorderOrSkip(test: TestContext): boolean {
  try {
    buildRecorder()
    return true
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    if (reason !== missingCompiler || process.env['CI'] === 'true') throw error
    test.skip(reason)
    return false
  }
}

/** Starts a compiled module of this project (`new URL('./writer.js', import.meta.url)`) under the recorder. */
export function startRecorded(module: URL, args: readonly string[], options: RecorderOptions): ChildProcess {
  return spawn(process.execPath, [fileURLToPath(module), ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      ...process.env,
      LD_PRELOAD: buildRecorder(),
      // io_uring writes files without a call that could be recorded.
      UV_USE_IO_URING: '0',
      HOLDFAST_IOREC_ROOT: options.root,
      ...(options.recording === undefined ? {} : { HOLDFAST_IOREC_LOG: options.recording }),
      ...(options.control === undefined ? {} : { HOLDFAST_IOREC_FAULT: options.control }),
    },
  })
}

/** From now on the next changes of these kinds fail. Each call starts a new count. */
export function setFault(control: string, fault: Fault): void {
  writeFileSync(`${control}.next`, `${fault.kinds.join('')}:${fault.errno}:${fault.count}\n`)
  renameSync(`${control}.next`, control)
}

export function clearFault(control: string): void {
  rmSync(control, { force: true })
}

/** The C file stands in the sources; this module may run from there or from a build folder. */
function sourceFile(): string {
  const places = [
    fileURLToPath(new URL('./iorec.c', import.meta.url)),
    fileURLToPath(new URL('../../../test/rigs/iorec.c', import.meta.url)),
    resolve('test/rigs/iorec.c'),
  ]
  const found = places.find(place => existsSync(place))
  if (!found) throw new Error(`iorec.c is in none of ${places.join(', ')}: run the tests from the project's folder`)
  return found
}
