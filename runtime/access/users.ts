/**
 * The users in force: those of the users file, looked at every second and read again when it changes.
 *
 * Promises: what is in force is always a whole file; one that is not in order, or has gone, changes nothing and costs one
 * log line. Whoever listens is told after each change that is in force.
 */
import { statSync } from 'node:fs'
import { HoldfastError, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { lookEveryMs } from './limits.ts'
import { readUsers, type User, type Users } from './users-file.ts'

export type UserListDoors = {
  readonly after: (delayMs: number, run: () => void) => () => void
  readonly log: Log
}

const nobody: Users = new Map()

export class UserList {
  readonly path: string
  readonly #doors: UserListDoors
  #users: Users = nobody
  #seen: string | undefined
  #problem: string | undefined
  readonly #heard = new Set<() => void>()
  #cancel: () => void = () => {}

  /** Reads the file and goes on watching it. Throws USERS_FILE: nobody could come in, and nobody would know why. */
  static open(path: string, doors: UserListDoors): UserList {
    const list = new UserList(path, doors)
    list.#seen = list.#signature()
    list.#users = readUsers(path) ?? nobody
    list.#lookLater()
    return list
  }

  private constructor(path: string, doors: UserListDoors) {
    this.path = path
    this.#doors = doors
  }

  close(): void {
    this.#cancel()
    this.#cancel = () => {}
    this.#heard.clear()
  }

  /** Why what is in the file is not in force; undefined if it is. */
  get problem(): string | undefined {
    return this.#problem
  }

  get count(): number {
    return this.#users.size
  }

  get(name: string): User | undefined {
    return this.#users.get(name)
  }

  all(): readonly User[] {
    return [...this.#users.values()]
  }

  onChange(run: () => void): void {
    this.#heard.add(run)
  }

  /** Looks at the file now; reads it if it is not the one that was read. True if what it says is in force. */
  look(): boolean {
    const signature = this.#signature()
    if (signature === this.#seen) return this.#problem === undefined
    this.#seen = signature
    try {
      const users = readUsers(this.path)
      if (users === undefined && this.#users.size > 0) {
        throw new HoldfastError('USERS_FILE', `the users file ${this.path} has gone`)
      }
      this.#take(users ?? nobody)
    } catch (error) {
      const hint = error instanceof HoldfastError && error.hint !== '' ? `: ${error.hint}` : ''
      this.#problem = `${messageOf(error)}${hint}`
      this.#doors.log.warn({ reason: this.#problem }, 'the users file is not in order: those from before stay in force')
    }
    return this.#problem === undefined
  }

  #take(users: Users): void {
    const isOther = JSON.stringify([...users]) !== JSON.stringify([...this.#users])
    this.#users = users
    this.#problem = undefined
    if (!isOther) return
    this.#doors.log.info({ file: this.path, users: users.size }, 'the users file has changed and is in force')
    for (const run of this.#heard) run()
  }

  /** Changes when the file does: written over, renamed over, or with another mode or owner. */
  #signature(): string {
    try {
      const stat = statSync(this.path, { bigint: true, throwIfNoEntry: false })
      return stat === undefined ? 'none' : [stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join()
    } catch (error) {
      return messageOf(error)
    }
  }

  #lookLater(): void {
    this.#cancel = this.#doors.after(lookEveryMs, () => {
      this.look()
      this.#lookLater()
    })
  }
}
