/**
 * The users file: who may come to the broker, with what password and which roles. One line a user:
 *
 *   pump-1 device scrypt:16384:8:1:<salt>:<hash>
 *   boiler device,reader certificate
 *
 * Promises: a file that others may read, or that belongs to another user of the machine, is refused with a sentence that
 * says what to do; so is one with a line that cannot be read, as a whole. It is written aside, synced and renamed, so that
 * whoever reads it sees all of it or the one before. Nothing of a password is ever said.
 */
import { randomBytes } from 'node:crypto'
import { type Stats, closeSync, fchownSync, fsyncSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { HoldfastError, messageOf, systemCode } from '../errors.ts'
import { usersFileBytesMax } from './limits.ts'
import { parsePasswordHash } from './password.ts'

export type User = {
  readonly name: string
  readonly roles: readonly string[]
  /** As in the file; undefined where its certificate alone names it. */
  readonly password: string | undefined
}

export type Users = ReadonlyMap<string, User>

const byCertificate = 'certificate'
const heading =
  '# Users of the MQTT broker: name, roles, password. Written by "holdfast user"; read again when it changes.\n'

/** As a whole level of a topic, in a line of the file, and in a certificate. */
export function isUserName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._@:-]{0,63}$/.test(name)
}

export const userNameRule = 'letters, digits and . _ @ : - only, at most 64, beginning with a letter or digit'

export const isRoleName = (name: string): boolean => /^[a-z][a-z0-9_-]{0,63}$/.test(name)

/** Undefined if there is no such file. Throws USERS_FILE. */
export function readUsers(path: string): Users | undefined {
  let file: number
  try {
    // Asked before opening: opening a pipe would wait for its writer.
    if (!statSync(path).isFile()) throw fault(path, 'is not a file', 'set broker.users_file to a file')
    file = openSync(path, 'r')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error instanceof HoldfastError ? error : unreadable(path, error)
  }
  try {
    checkKept(path, fstatSync(file))
    return parseUsers(path, readFileSync(file, 'utf8'))
  } finally {
    closeSync(file)
  }
}

/** Kept by its owner alone, who is this user or root. */
function checkKept(path: string, { mode, uid, size }: Stats): void {
  const own = process.getuid?.()
  if (own !== undefined && (mode & 0o077) !== 0) {
    throw fault(path, `may be read by others (mode 0${(mode & 0o777).toString(8)})`, `chmod 600 ${path}`)
  }
  if (own !== undefined && uid !== own && uid !== 0 && own !== 0) {
    throw fault(path, `belongs to another user (uid ${uid}, the gateway is ${own})`, `chown ${own} ${path}`)
  }
  if (size > usersFileBytesMax) throw fault(path, `is larger than ${usersFileBytesMax} bytes`, 'is it another file?')
}

export function parseUsers(path: string, text: string): Users {
  const users = new Map<string, User>()
  for (const [index, line] of text.split('\n').entries()) {
    const words = line.trim().split(/\s+/)
    if (words[0] === '' || line.trimStart().startsWith('#')) continue
    const [name = '', roles = '', password = ''] = words
    const wrong = (what: string): HoldfastError =>
      fault(
        path,
        `has a fault in line ${index + 1}: ${what}`,
        'correct it, or write the user again with "holdfast user"',
      )
    if (words.length !== 3) throw wrong('a line has a name, roles and a password, with spaces between')
    if (!isUserName(name)) throw wrong(`a name has ${userNameRule}`)
    if (users.has(name)) throw wrong(`there is a user "${name}" already`)
    const named = roles.split(',')
    if (!named.every(isRoleName)) throw wrong('roles are names, with commas between')
    if (password !== byCertificate && parsePasswordHash(password) === undefined) throw wrong('its password is no hash')
    users.set(name, { name, roles: named, password: password === byCertificate ? undefined : password })
  }
  return users
}

export function usersText(users: Users): string {
  const lines = [...users.values()].map(
    ({ name, roles, password = byCertificate }) => `${name} ${roles.join(',')} ${password}\n`,
  )
  return heading + lines.join('')
}

/** Whole and on disk when it returns. Throws FILE_UNWRITABLE. */
export function writeUsers(path: string, users: Users): void {
  const aside = `${path}.${randomBytes(6).toString('hex')}.new`
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const file = openSync(aside, 'wx', 0o600)
    try {
      // Run as root beside a gateway that is somebody else, the file must be that one's.
      if (process.getuid?.() === 0) {
        const { uid, gid } = ownerOf(path)
        fchownSync(file, uid, gid)
      }
      // All of it: one write may take only a part where the disk is nearly full.
      writeFileSync(file, usersText(users))
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(aside, path)
    syncFolder(dirname(path))
  } catch (error) {
    rmSync(aside, { force: true })
    const why = systemCode(error) === 'EACCES' ? 'this user may not write there' : messageOf(error)
    throw new HoldfastError(
      'FILE_UNWRITABLE',
      `the users file ${path} cannot be written: ${why}`,
      'run this as the user of the gateway, or as root',
      error,
    )
  }
}

/** Of the file as it was, else of its folder. */
function ownerOf(path: string): Stats {
  return statSync(path, { throwIfNoEntry: false }) ?? statSync(dirname(path))
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

function unreadable(path: string, error: unknown): HoldfastError {
  const isForbidden = systemCode(error) === 'EACCES' || systemCode(error) === 'EPERM'
  const why = isForbidden ? 'may not be read by this user' : `cannot be read: ${messageOf(error)}`
  return fault(path, why, `make the user of the gateway its owner: chown USER ${path}`)
}

function fault(path: string, what: string, hint: string): HoldfastError {
  return new HoldfastError('USERS_FILE', `the users file ${path} ${what}`, hint)
}
