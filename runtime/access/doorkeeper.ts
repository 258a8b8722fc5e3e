/**
 * Who may come to the broker of the LAN, and what each may do: the answers to the broker's access door.
 *
 *   no users, and no role for clients without one     first run: everybody on this machine may do everything
 *   otherwise                                         a user with its password, or with its certificate; without either,
 *                                                     the anonymous role, if there is one; nobody else
 *
 * Promises: what is not allowed is denied; a name that nobody has costs as much as a wrong password, so that neither tells
 * more; passwords are checked in turns, so that a flood of logins takes neither the processor nor the memory; one that
 * was right is known again without that cost, until the process ends or the password changes. Nothing of a password is
 * written or said.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { hashesAtOnce, loginsWaitingMax, passwordBytesMax } from './limits.ts'
import { isPassword, parsePasswordHash, type PasswordHash } from './password.ts'
import { type Rights, rightsOf, type Role, type Roles } from './roles.ts'
import { Turns } from './turns.ts'
import type { User } from './users-file.ts'

/** As the broker asks; see its access door for what each field is. */
export type Login = {
  readonly user: string | undefined
  readonly password: Buffer | undefined
  readonly client: string
  readonly certificateName: string | undefined
  readonly address: string
  readonly isGone: () => boolean
}

export type Visitor = Rights & { readonly user: string; readonly isCurrent: () => boolean }

type Admission = Visitor | 'denied' | 'busy'

export type AccessRules = {
  readonly roles: Roles
  /** The role of clients that name no user; undefined: they are not let in. */
  readonly anonymous: string | undefined
}

/** The users in force. */
export type UserBook = { readonly count: number; get(name: string): User | undefined }

const everything: Role = { publish: ['#'], subscribe: ['#', '$SYS/#'], devices: undefined }

export class Doorkeeper {
  readonly #users: UserBook
  #rules: AccessRules
  readonly #turns = new Turns({ atOnce: hashesAtOnce, waitingMax: loginsWaitingMax })
  /** By user: the mark of the password that was right, made with a key that no disk has seen. */
  readonly #known = new Map<string, Buffer>()
  readonly #key = randomBytes(32)

  constructor(users: UserBook, rules: AccessRules) {
    this.#users = users
    this.#rules = rules
  }

  /** Nobody has said yet who may come in. */
  get isFirstRun(): boolean {
    return this.#users.count === 0 && this.#rules.anonymous === undefined
  }

  knowsRole(name: string): boolean {
    return this.#rules.roles.has(name)
  }

  /** Other roles are in force from now on. */
  take(rules: AccessRules): void {
    this.#rules = rules
  }

  authenticate(login: Login): Admission | Promise<Admission> {
    const { client, certificateName, address, isGone } = login
    // An empty name is none: some clients cannot leave it out.
    const named = login.user === '' ? undefined : login.user
    if (this.isFirstRun) return isLoopback(address) ? this.#firstComer(client) : 'denied'
    const { password } = login
    if (named === undefined && certificateName === undefined) return this.#anonymous(client) ?? 'denied'
    const name = named ?? certificateName ?? ''
    const user = this.#users.get(name)
    // Its certificate is all it has. Who shows none, or another's, is checked as one whom nobody knows.
    if (user !== undefined && user.password === undefined && certificateName === name)
      return this.#visitor(user, client)
    if (password === undefined || password.length === 0 || password.length > passwordBytesMax) return 'denied'
    if (user !== undefined && this.#isKnown(user, password)) return this.#visitor(user, client)
    return this.#check(name, password, client, address, isGone)
  }

  standIn(user: string, client: string): Visitor | undefined {
    if (this.isFirstRun) return this.#firstComer(client)
    if (user === '') return this.#anonymous(client)
    const known = this.#users.get(user)
    return known && this.#visitor(known, client)
  }

  async #check(
    name: string,
    password: Buffer,
    client: string,
    address: string,
    isGone: () => boolean,
  ): Promise<Admission> {
    const user = this.#users.get(name)
    const hash = (user?.password === undefined ? undefined : parsePasswordHash(user.password)) ?? nobodysHash
    const isRight = await this.#turns.take(address, isGone, () => isPassword(hash, password))
    if (isRight === 'full') return 'busy'
    // It may have been removed, or given another password, while this one was checked.
    if (isRight !== true || user === undefined || this.#users.get(name)?.password !== user.password) return 'denied'
    // More than there are users: some are of users that have gone.
    if (this.#known.size > this.#users.count) this.#known.clear()
    this.#known.set(name, this.#markOf(user, password))
    return this.#visitor(this.#users.get(name) ?? user, client)
  }

  #isKnown(user: User, password: Buffer): boolean {
    const mark = this.#known.get(user.name)
    return mark !== undefined && timingSafeEqual(mark, this.#markOf(user, password))
  }

  #markOf({ password = '' }: User, given: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(`${password}\0`).update(given).digest()
  }

  #visitor(user: User, client: string): Visitor {
    const form = this.#formOf(user)
    return {
      user: user.name,
      ...rightsOf(this.#rolesOf(user.roles), { user: user.name, client }),
      isCurrent: () => !this.isFirstRun && this.#formOf(this.#users.get(user.name)) === form,
    }
  }

  #anonymous(client: string): Visitor | undefined {
    const { anonymous } = this.#rules
    if (anonymous === undefined) return undefined
    const form = this.#formOfRoles([anonymous])
    return {
      user: '',
      ...rightsOf(this.#rolesOf([anonymous]), { user: undefined, client }),
      isCurrent: () => this.#rules.anonymous === anonymous && this.#formOfRoles([anonymous]) === form,
    }
  }

  #firstComer(client: string): Visitor {
    return {
      user: '',
      ...rightsOf([everything], { user: undefined, client }),
      isCurrent: () => this.isFirstRun,
    }
  }

  /** All that its rights follow from. */
  #formOf(user: User | undefined): string | undefined {
    return user && `${user.password ?? ''} ${this.#formOfRoles(user.roles)}`
  }

  #formOfRoles(names: readonly string[]): string {
    return JSON.stringify(names.map(name => [name, this.#rules.roles.get(name)]))
  }

  #rolesOf(names: readonly string[]): Role[] {
    return names.flatMap(name => this.#rules.roles.get(name) ?? [])
  }
}

/** What a name that nobody has is compared with. */
const nobodysHash: PasswordHash = {
  cost: { N: 16_384, r: 8, p: 1 },
  salt: randomBytes(16),
  hash: randomBytes(32),
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/.test(address)
}
