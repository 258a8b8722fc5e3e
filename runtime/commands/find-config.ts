/**
 * Which configuration a command works with: the one that is named, or `holdfast.yaml` where one stands in the folder or in
 * /etc/holdfast, or the defaults. Reads files; the room `config` knows what they mean.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Config } from '../config/config.ts'
import { type ConfigDoors, systemDoors } from '../config/doors.ts'
import { defaultConfig, loadConfig } from '../config/load.ts'
import { loadOutside } from '../config/outside-adapters.ts'
import { documentBytesMax, formatProblem, type Problem } from '../document.ts'
import { HoldfastError, messageOf, systemCode } from '../errors.ts'

export type FoundConfig = {
  /** The file, or undefined where the defaults are used. */
  readonly file: string | undefined
  readonly result:
    | { readonly ok: true; readonly config: Config }
    | { readonly ok: false; readonly problems: readonly Problem[] }
}

const usualPlaces = ['holdfast.yaml', '/etc/holdfast/holdfast.yaml']

/** With the adapters of others that its routes name, for who checks it or runs with it. Throws FILE_UNREADABLE. */
export async function findConfig(named: string | undefined): Promise<FoundConfig> {
  const file = fileOf(named)
  const doors = systemDoors()
  if (file === undefined) return { file, result: defaultConfig(process.cwd(), doors) }
  const text = readText(file)
  const outside = await loadOutside(text, resolve(dirname(file)))
  return { file, result: loadConfig(file, text, { ...doors, outside }) }
}

/** The same, or BAD_CONFIG with every problem on a line of its own. */
export async function requireWholeConfig(named: string | undefined): Promise<Found> {
  const { file, result } = await findConfig(named)
  if (result.ok) return { file, config: result.config }
  throw configProblems(result.problems)
}

/** Without those adapters, for who does not open a route. Throws FILE_UNREADABLE and BAD_CONFIG. */
export function requireConfig(named: string | undefined, doors: ConfigDoors = systemDoors()): Found {
  const file = fileOf(named)
  const result = file === undefined ? defaultConfig(process.cwd(), doors) : loadConfig(file, readText(file), doors)
  if (result.ok) return { file, config: result.config }
  throw configProblems(result.problems)
}

type Found = { readonly file: string | undefined; readonly config: Config }

const fileOf = (named: string | undefined): string | undefined => named ?? usualPlaces.find(place => existsSync(place))

function configProblems(problems: readonly Problem[]): HoldfastError {
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`
  const message = [`the configuration has ${count}:`, ...problems.map(formatProblem)].join('\n')
  return new HoldfastError('BAD_CONFIG', message, 'correct it, and look again with "holdfast check"')
}

/** Where the gateway of this configuration listens for commands. Passwords are not needed for that, so none are read. */
export const findSocket = (named: string | undefined): string => findPlaces(named).socket

/** The same, and the folder of its database. */
export function findPlaces(named: string | undefined): { readonly socket: string; readonly store: string } {
  const doors = { ...systemDoors(), readSecret: () => ({ text: 'not needed', mode: undefined }) }
  const { api, store } = requireConfig(named, doors).config
  return { socket: api.socket, store: store.path }
}

function readText(file: string): string {
  const unreadable = (why: string, hint: string, cause?: unknown): HoldfastError =>
    new HoldfastError('FILE_UNREADABLE', `the configuration ${file} ${why}`, hint, cause)
  try {
    const stat = statSync(file)
    if (!stat.isFile()) throw unreadable('is not a file', 'name a file with --config')
    // One byte more than the reader takes: it says itself that the file is too large.
    return stat.size > documentBytesMax ? 'x'.repeat(documentBytesMax + 1) : readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof HoldfastError) throw error
    if (systemCode(error) === 'ENOENT') throw unreadable('does not exist', 'name another with --config')
    if (systemCode(error) === 'EACCES') throw unreadable('may not be read by this user', 'change its owner or its mode')
    throw unreadable(`cannot be read: ${messageOf(error)}`, 'name another with --config', error)
  }
}
