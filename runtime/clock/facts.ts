/**
 * Looks at the machine: who keeps its time, and what boot this is. Thin: files below a root and commands with a time
 * limit, both doors, so that tests use a folder. Never blocks the event loop, never throws: what cannot be read is absent.
 */
import { execFile } from 'node:child_process'
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { MachineFacts, TimeService } from './trust.ts'

/** Runs a command; undefined if it is not there, fails, or takes too long. */
export type RunCommand = (file: string, args: readonly string[]) => Promise<string | undefined>
export type FactDoors = { readonly root: string; readonly run: RunCommand }

/** Both commands answer at once, or wait for a service that does not answer. */
const commandMs = 2_000
const outputBytesMax = 64 * 1024

export const runCommand: RunCommand = (file, args) =>
  new Promise(resolve => {
    const options = { timeout: commandMs, maxBuffer: outputBytesMax, encoding: 'utf8' } as const
    execFile(file, [...args], options, (error, stdout) => resolve(error ? undefined : stdout))
  })

export const machineDoors: FactDoors = { root: '/', run: runCommand }

export async function machineFacts({ root, run }: FactDoors = machineDoors): Promise<MachineFacts> {
  const there = (path: string): Promise<boolean> =>
    access(join(root, path)).then(
      () => true,
      () => false,
    )
  const [isFlagged, hasTimesyncd, hasChrony, hasSystemd, hasBatteryClock] = await Promise.all([
    // Below /run, so it is of this boot: written at each synchronisation.
    there('run/systemd/timesync/synchronized'),
    there('run/systemd/timesync'),
    there('run/chrony/chronyd.sock'),
    there('run/systemd/system'),
    there('sys/class/rtc/rtc0'),
  ])
  const service = isFlagged
    ? ({ name: 'timesyncd', isSynchronised: true } as const)
    : ((hasChrony ? await askChrony(run) : undefined) ??
      (hasSystemd ? await askTimedatectl(run) : undefined) ??
      (hasTimesyncd ? ({ name: 'timesyncd', isSynchronised: false } as const) : undefined))
  return { service, hasBatteryClock, uptimeMs: await uptimeOf(root) }
}

async function uptimeOf(root: string): Promise<number | undefined> {
  const text = await readFile(join(root, 'proc/uptime'), 'utf8').catch(() => '')
  const seconds = Number.parseFloat(text)
  return Number.isFinite(seconds) ? Math.round(seconds * 1000) : undefined
}

/** The last column of `tracking` is the leap status: `Not synchronised`, or how the day ends. */
async function askChrony(run: RunCommand): Promise<TimeService> {
  const answer = await run('chronyc', ['-c', 'tracking'])
  const leap = answer?.trim().split(',').at(-1)
  return { name: 'chrony', isSynchronised: leap !== undefined && /^(normal|insert|delete)/i.test(leap) }
}

/** The kernel knows whether anybody keeps its clock right; systemd knows whether anybody is meant to. */
async function askTimedatectl(run: RunCommand): Promise<TimeService | undefined> {
  const answer = await run('timedatectl', ['show', '-p', 'NTP', '-p', 'NTPSynchronized'])
  if (answer === undefined) return undefined
  if (/^NTPSynchronized=yes$/m.test(answer)) return { name: 'kernel', isSynchronised: true }
  return /^NTP=yes$/m.test(answer) ? { name: 'timesyncd', isSynchronised: false } : undefined
}

/** Which boot this is, and for how long it has been running. */
export type Boot = { readonly id: string; readonly uptimeMs: number }

/** Long enough that two boots of one board in its life are not taken for one. */
const bootIdLength = 12

/** Where the system tells no boot, each start of the program is one. */
export async function currentBoot(randomId: () => string, root = '/'): Promise<Boot> {
  const id = await readFile(join(root, 'proc/sys/kernel/random/boot_id'), 'utf8').catch(() => '')
  const uptimeMs = await uptimeOf(root)
  return id.trim() === '' || uptimeMs === undefined
    ? { id: short(randomId()), uptimeMs: 0 }
    : { id: short(id), uptimeMs }
}

const short = (id: string): string => id.trim().replaceAll('-', '').slice(0, bootIdLength)
