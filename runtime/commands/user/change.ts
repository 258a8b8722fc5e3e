/** What the verbs of `holdfast user` share: where the users are, and changing them one at a time. */
import { dirname, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isUserName, readUsers, type User, type Users, userNameRule, writeUsers } from '../../access/users-file.ts'
import { systemDoors } from '../../config/doors.ts'
import { nearestName } from '../../document.ts'
import { HoldfastError } from '../../errors.ts'
import { type Lock, takeLock } from '../../store/lock.ts'
import { requireConfig } from '../find-config.ts'

/** How long another change may take: it hashes nothing while it holds the file. */
const lockTries = 100
const lockPauseMs = 50

/** The users file and the roles that there are. Passwords of the configuration are not needed for that. */
export function usersPlace({ config, usersFile }: { readonly config?: string; readonly usersFile?: string }): {
  readonly file: string
  readonly roles: ReadonlyMap<string, unknown>
} {
  const doors = { ...systemDoors(), readSecret: () => ({ text: 'not needed', mode: undefined }) }
  const { broker } = requireConfig(config, doors).config
  if (broker === undefined) {
    throw new HoldfastError(
      'BAD_CONFIG',
      'this configuration has no broker, so it has no users',
      'the gateways of a hub and their passwords stand in hub.gateways',
    )
  }
  const file = usersFile === undefined ? broker.access.usersFile : resolve(usersFile)
  return { file, roles: broker.access.roles }
}

/** Returns the users as they are now. What runs at the same time waits, so that no change is lost. */
export async function changeUsers(file: string, change: (users: Users) => Users): Promise<Users> {
  const lock = await lockOf(file)
  try {
    const users = change(readUsers(file) ?? new Map<string, User>())
    writeUsers(file, users)
    return users
  } finally {
    await lock.release()
  }
}

async function lockOf(file: string): Promise<Lock> {
  for (let tries = 1; ; tries++) {
    try {
      return await takeLock(`users ${resolve(dirname(file))} ${file}`)
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error
      if (tries < lockTries) await sleep(lockPauseMs)
      else throw new HoldfastError('FILE_UNWRITABLE', `another "holdfast user" is changing ${file}`, 'try again')
    }
  }
}

export function requireUserName(name: string): void {
  if (!isUserName(name)) throw refuseArgument(`"${name}" is no name of a user`, `it has ${userNameRule}`)
}

export function requireRoles(wanted: readonly string[], roles: ReadonlyMap<string, unknown>): void {
  for (const role of wanted) {
    if (roles.has(role)) continue
    const nearest = nearestName(role, roles.keys())
    const names = [...roles.keys()].join(', ')
    throw refuseArgument(
      `there is no role "${role}"`,
      nearest === undefined ? `there are ${names}; write others in broker.roles` : `did you mean ${nearest}?`,
    )
  }
}

export function requireUser(name: string, users: Users, file: string): User {
  const user = users.get(name)
  if (user !== undefined) return user
  const nearest = nearestName(name, users.keys())
  throw new HoldfastError(
    'NOT_FOUND',
    `there is no user "${name}" in ${file}`,
    nearest === undefined ? 'see who there is with "holdfast user list"' : `did you mean ${nearest}?`,
  )
}

export const refuseArgument = (what: string, hint: string): HoldfastError =>
  new HoldfastError('BAD_ARGUMENT', what, hint)
