/**
 * What the configuration needs from the machine, and nothing else: the environment, the host's name and the files that
 * hold secrets. Tests hand in their own. The only place that reads the process' environment.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import { HoldfastError } from '../errors.ts'
import { certificateBytesMax, secretBytesMax } from '../limits.ts'
import type { Environment } from './environment.ts'
import type { OutsideAdapters } from './outside-adapters.ts'

export type SecretFile = {
  readonly text: string
  /** Permission bits; undefined where the system has no such thing or guards the file by other means. */
  readonly mode: number | undefined
}

export type ConfigDoors = {
  readonly environment: Environment
  readonly hostName: string
  /** Throws as `fs` does, or a HoldfastError where the file cannot be a secret. */
  readonly readSecret: (path: string) => SecretFile
  /** The same for a file that is no secret and may be larger. Left out, `readSecret` serves. */
  readonly readFile?: (path: string) => SecretFile
  /** The adapters of others that routes name (`loadOutside`). Left out where nobody opens a route: they are not loaded. */
  readonly outside?: OutsideAdapters
}

export function systemDoors(): ConfigDoors {
  const environment = { ...process.env }
  return {
    environment,
    hostName: hostname(),
    readSecret: path => readSecret(path, environment, secretBytesMax),
    readFile: path => readSecret(path, environment, certificateBytesMax),
  }
}

function readSecret(path: string, environment: Environment, bytesMax: number): SecretFile {
  // Asked before opening: opening a pipe would wait for its writer.
  if (!statSync(path).isFile()) throw new HoldfastError('FILE_UNREADABLE', 'is not a file')
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(bytesMax + 1)
    const length = readSync(file, bytes, 0, bytes.length, 0)
    if (length > bytesMax) throw new HoldfastError('FILE_UNREADABLE', `is larger than ${bytesMax} bytes`)
    const mode = guardedBySystemd(path, environment) ? undefined : fstatSync(file).mode & 0o777
    return { text: bytes.toString('utf8', 0, length), mode }
  } finally {
    closeSync(file)
  }
}

/** systemd gives credentials through an access list, which shows as group permission though no group may read them. */
function guardedBySystemd(path: string, environment: Environment): boolean {
  const folder = environment.CREDENTIALS_DIRECTORY
  return process.platform === 'win32' || (folder !== undefined && folder !== '' && path.startsWith(`${folder}/`))
}
