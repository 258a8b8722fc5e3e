/**
 * Holds a process to so much memory, with what this machine allows: a control group of version 1 or 2 below our own, or
 * a scope of systemd. Where none may be had the process runs free, and whoever asks must compare its peak himself.
 *
 * Promises: nothing outside of our own control group is touched, and what was made is removed.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export type Hold = {
  /** How it is held, for a person. */
  readonly words: string
  readonly isHeld: boolean
  /** What to write before a command, to run it held. */
  readonly on: readonly string[]
  readonly remove: () => void
}

export function holdTo(bytes: number): Hold {
  return version1(bytes) ?? version2(bytes) ?? scope(bytes) ?? free(bytes)
}

const groups = '/sys/fs/cgroup'
const name = `holdfast-campaign-${process.pid}`

/** Our own group: of the memory controller of version 1, or the one of version 2. */
function ownGroup(pattern: RegExp): string | undefined {
  const line = readFileSync('/proc/self/cgroup', 'utf8')
    .split('\n')
    .find(each => pattern.test(each))
  return line?.split(':').slice(2).join(':')
}

function version1(bytes: number): Hold | undefined {
  const own = existsSync(join(groups, 'memory')) ? ownGroup(/^\d+:([^:]*,)?memory(,[^:]*)?:/) : undefined
  if (own === undefined) return undefined
  return inGroup(join(groups, 'memory', own, name), 'memory.limit_in_bytes', bytes, 'version 1')
}

function version2(bytes: number): Hold | undefined {
  const own = existsSync(join(groups, 'cgroup.controllers')) ? ownGroup(/^0::/) : undefined
  if (own === undefined) return undefined
  return inGroup(join(groups, own, name), 'memory.max', bytes, 'version 2')
}

function inGroup(folder: string, limit: string, bytes: number, version: string): Hold | undefined {
  try {
    mkdirSync(folder)
  } catch {
    return undefined // not ours to make: the next way is tried, and what held in the end is told
  }
  const remove = (): void => {
    try {
      rmdirSync(folder)
    } catch (error) {
      console.error(`The control group ${folder} is left: ${String(error)}`)
    }
  }
  try {
    // In version 2 the file is missing where the parent gives its children no memory controller.
    if (!existsSync(join(folder, limit))) throw new Error('no memory controller')
    writeFileSync(join(folder, limit), String(bytes))
  } catch {
    remove()
    return undefined
  }
  return {
    words: `held to ${megabytes(bytes)} MB by a control group (${version})`,
    isHeld: true,
    on: ['sh', '-c', `echo $$ > '${folder}/cgroup.procs' && exec "$@"`, 'sh'],
    remove,
  }
}

function scope(bytes: number): Hold | undefined {
  if (!existsSync('/run/systemd/system')) return undefined
  const on = ['systemd-run', '--quiet', '--scope', '-p', `MemoryMax=${bytes}`, '-p', 'MemorySwapMax=0', '--']
  try {
    execFileSync(on[0] as string, [...on.slice(1), 'true'], { stdio: 'ignore' })
  } catch {
    return undefined
  }
  return { words: `held to ${megabytes(bytes)} MB by a systemd scope`, isHeld: true, on, remove: () => undefined }
}

function free(bytes: number): Hold {
  const words = `not held, since this machine allows no control group: more than ${megabytes(bytes)} MB at its peak counts as its end`
  return { words, isHeld: false, on: [], remove: () => undefined }
}

const megabytes = (bytes: number): number => Math.round(bytes / 2 ** 20)
