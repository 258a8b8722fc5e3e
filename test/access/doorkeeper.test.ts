import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { type AccessRules, Doorkeeper, type Login, type Visitor } from '../../runtime/access/doorkeeper.ts'
import { hashPassword } from '../../runtime/access/password.ts'
import type { User } from '../../runtime/access/users-file.ts'
import { builtInRoles } from '../../runtime/config/access-schema.ts'

const roles = new Map(Object.entries(builtInRoles))
const closed: AccessRules = { roles, anonymous: undefined }
let pump: User
const boiler: User = { name: 'boiler', roles: ['device'], password: undefined }

before(async () => {
  pump = { name: 'pump', roles: ['device'], password: await hashPassword(Buffer.from('right')) }
})

class Book {
  readonly users = new Map<string, User>()
  constructor(...users: User[]) {
    for (const user of users) this.users.set(user.name, user)
  }
  get count(): number {
    return this.users.size
  }
  get(name: string): User | undefined {
    return this.users.get(name)
  }
}

const login = (of: Partial<Login> & { readonly word?: string } = {}): Login => ({
  user: undefined,
  password: of.word === undefined ? undefined : Buffer.from(of.word),
  client: 'c',
  certificateName: undefined,
  address: '192.168.1.7',
  isGone: () => false,
  ...of,
})

async function visitor(door: Doorkeeper, of: Parameters<typeof login>[0]): Promise<Visitor | string> {
  return await door.authenticate(login(of))
}

async function nameOf(door: Doorkeeper, of: Parameters<typeof login>[0]): Promise<string> {
  const admission = await visitor(door, of)
  return typeof admission === 'string' ? admission : `in as "${admission.user}"`
}

describe('the doorkeeper', () => {
  it('lets everybody on this machine do everything but speak for the gateway, until somebody says who may', async () => {
    const door = new Doorkeeper(new Book(), closed)
    const first = await visitor(door, { address: '127.0.0.1', user: 'x', word: 'y' })
    assert.ok(typeof first !== 'string')
    assert.deepEqual(
      [first.mayPublish('a/b'), first.maySubscribe('#'), first.mayPublish('holdfast/x')],
      [true, true, false],
    )
    assert.equal(await nameOf(door, { address: '::1' }), 'in as ""')
    assert.equal(await nameOf(door, { address: '192.168.1.7' }), 'denied')
  })

  it('lets a user in with its password and nothing else', async () => {
    const door = new Doorkeeper(new Book(pump, boiler), closed)
    const names = []
    for (const of of [
      { user: 'pump', word: 'right' },
      { user: 'pump', word: 'wrong' },
      { user: 'pump', word: '' },
      { user: 'pump' },
      { user: 'nobody', word: 'right' },
      { user: '__proto__', word: 'right' },
      {},
      { user: '' },
      { address: '127.0.0.1' },
      { user: 'pump', word: 'right'.padEnd(2_000, ' ') },
    ])
      names.push(await nameOf(door, of))
    assert.deepEqual(names, ['in as "pump"', ...Array.from({ length: 9 }, () => 'denied')])
  })

  it('takes as long over a name that has no password as over one that nobody has', async () => {
    const door = new Doorkeeper(new Book(pump, boiler), closed)
    for (const user of ['pump', 'boiler', 'nobody']) {
      const admission = door.authenticate(login({ user, word: 'wrong' }))
      assert.ok(admission instanceof Promise, `${user} is told at once`)
      assert.equal(await admission, 'denied')
    }
  })

  it('lets in by a certificate whom it names, unless a password is asked for', async () => {
    const door = new Doorkeeper(new Book(pump, boiler), closed)
    const names = []
    for (const of of [
      { certificateName: 'boiler' },
      { certificateName: 'boiler', user: 'boiler' },
      { certificateName: 'boiler', user: 'pump' },
      { certificateName: 'pump' },
      { certificateName: 'stranger' },
      { certificateName: 'fleet', user: 'pump', word: 'right' },
      { certificateName: 'fleet', user: 'boiler' },
      { user: 'boiler', word: 'certificate' },
    ])
      names.push(await nameOf(door, of))
    const [ok, pumpIn] = ['in as "boiler"', 'in as "pump"']
    assert.deepEqual(names, [ok, ok, 'denied', 'denied', 'denied', pumpIn, 'denied', 'denied'])
  })

  it('gives the anonymous role to whoever names nobody, not to a wrong password', async () => {
    const door = new Doorkeeper(new Book(pump), { roles, anonymous: 'reader' })
    const guest = await visitor(door, {})
    assert.ok(typeof guest !== 'string')
    assert.deepEqual([guest.user, guest.maySubscribe('#'), guest.mayPublish('a')], ['', true, false])
    assert.equal(await nameOf(door, { user: 'pump', word: 'wrong' }), 'denied')
    assert.equal(await nameOf(door, { user: 'nobody', word: 'x' }), 'denied')
  })

  it('knows a password again at once that was right, and only that one', async () => {
    const door = new Doorkeeper(new Book(pump), closed)
    assert.ok(door.authenticate(login({ user: 'pump', word: 'right' })) instanceof Promise)
    await visitor(door, { user: 'pump', word: 'right' })
    assert.equal(door.authenticate(login({ user: 'pump', word: 'right' })) instanceof Promise, false)
    assert.equal(await nameOf(door, { user: 'pump', word: 'wrong' }), 'denied')
  })

  it('tells of a visitor whose user has gone, has another password or another role that it is not current', async () => {
    const book = new Book(pump, boiler)
    const door = new Doorkeeper(book, closed)
    const isCurrent = async (): Promise<() => boolean> => {
      const admission = await visitor(door, { certificateName: 'boiler' })
      return typeof admission === 'string' ? () => false : admission.isCurrent
    }
    const same = await isCurrent()
    book.users.set('pump', { ...pump, roles: ['admin'] })
    assert.equal(same(), true, 'another has changed')
    book.users.set('boiler', { ...boiler, roles: ['reader'] })
    assert.equal(same(), false)
    const second = await isCurrent()
    door.take({
      roles: new Map(roles).set('reader', { publish: ['x'], subscribe: [], devices: undefined }),
      anonymous: undefined,
    })
    assert.equal(second(), false, 'its role means something else')
    const third = await isCurrent()
    book.users.delete('boiler')
    assert.equal(third(), false)
    assert.equal(door.standIn('boiler', 'c'), undefined)
  })

  it('ends the first run for those who are in, once there is a user', async () => {
    const book = new Book()
    const door = new Doorkeeper(book, closed)
    const first = await visitor(door, { address: '127.0.0.1' })
    book.users.set('boiler', boiler)
    assert.ok(typeof first !== 'string')
    assert.equal(first.isCurrent(), false)
    assert.equal(await nameOf(door, { address: '127.0.0.1' }), 'denied')
  })

  it('does not let in by a password that was changed while it was checked', async () => {
    const book = new Book(pump)
    const door = new Doorkeeper(book, closed)
    const other = await hashPassword(Buffer.from('new'))
    const admission = door.authenticate(login({ user: 'pump', word: 'right' }))
    book.users.set('pump', { ...pump, password: other })
    assert.equal(await admission, 'denied')
  })
})
