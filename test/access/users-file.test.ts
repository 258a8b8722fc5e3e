import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { hashPassword, isPassword, parsePasswordHash } from '../../runtime/access/password.ts'
import { parseUsers, readUsers, type User, usersText, writeUsers } from '../../runtime/access/users-file.ts'
import { HoldfastError } from '../../runtime/errors.ts'

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-users-'))
  t.after(() => rmSync(path, { recursive: true }))
  return path
}

const faultOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof HoldfastError)
    return `${error.code}: ${error.message} (${error.hint})`
  }
  return 'no fault'
}

const boiler: User = { name: 'boiler', roles: ['device', 'reader'], password: undefined }

describe('the users file', () => {
  it('is read as it was written, by its owner alone', async t => {
    const path = join(folder(t), 'made', 'users')
    const pump = { name: 'pump-1', roles: ['device'], password: await hashPassword(Buffer.from('secret')) }
    const users = new Map([
      ['pump-1', pump],
      ['boiler', boiler],
    ])
    assert.equal(readUsers(path), undefined)
    writeUsers(path, users)
    assert.deepEqual(readUsers(path), users)
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert.equal(readFileSync(path, 'utf8').includes('secret'), false)
    assert.deepEqual(readdirSync(join(path, '..')), ['users'], 'nothing lies aside')
  })

  it('stays as it was if the disk takes only a part of the new one', t => {
    const path = join(folder(t), 'users')
    writeUsers(path, new Map([['boiler', boiler]]))
    const write = `
      const { writeUsers } = await import(${JSON.stringify(new URL('../../runtime/access/users-file.js', import.meta.url))})
      const user = index => [String(index), { name: String(index), roles: ['device'], password: undefined }]
      writeUsers(${JSON.stringify(path)}, new Map(Array.from({ length: 1_000 }, (_, index) => user(index))))`
    // No file may be larger than a few blocks: a write beyond takes what still fits and says how much that was.
    const limited = 'ulimit -f 8; exec "$0" --input-type=module --eval "$1"'
    const { status, stderr } = spawnSync('sh', ['-c', limited, process.execPath, write], { encoding: 'utf8' })
    assert.equal(status, 1)
    assert.match(stderr, /cannot be written/)
    assert.deepEqual([...(readUsers(path)?.keys() ?? [])], ['boiler'])
    assert.deepEqual(readdirSync(join(path, '..')), ['users'], 'nothing lies aside')
  })

  it('is refused with a sentence if others may read it', t => {
    const path = join(folder(t), 'users')
    writeUsers(path, new Map([['boiler', boiler]]))
    for (const mode of [0o640, 0o604, 0o620]) {
      chmodSync(path, mode)
      assert.match(
        faultOf(() => readUsers(path)),
        /^USERS_FILE: .* may be read by others \(mode 06\d\d\) \(chmod 600 /,
      )
    }
  })

  it('is refused as a whole for one line, which is named without what is in it', () => {
    const secret = 'scrypt:1000:8:1:c2FsdHNhbHQ=:aGFzaGhhc2hoYXNoaGFzaA=='
    for (const [line, why] of [
      ['pump device', /a line has a name, roles and a password/],
      ['a/b device certificate', /a name has letters/],
      ['+ device certificate', /a name has letters/],
      ['__proto__ device certificate', /a name has letters/],
      ['pump De,vice certificate', /roles are names/],
      ['pump device plain', /its password is no hash/],
      [`pump device ${secret}`, /its password is no hash/],
      ['boiler device certificate', /there is a user "boiler" already/],
    ] as const) {
      const fault = faultOf(() => parseUsers('/u', `# users\nboiler device certificate\n${line}\n`))
      assert.match(fault, why, line)
      assert.match(fault, /line 3/)
      assert.equal(fault.includes('aGFz'), false)
    }
  })

  it('keeps names that objects have of their own', () => {
    const users = parseUsers('/u', 'constructor device certificate\ntoString device certificate\n')
    assert.deepEqual([...users.keys()], ['constructor', 'toString'])
    assert.deepEqual(parseUsers('/u', usersText(users)), users)
  })

  it('names a path that is no file', t => {
    assert.match(
      faultOf(() => readUsers(folder(t))),
      /USERS_FILE: .* is not a file/,
    )
  })
})

describe('a password', () => {
  it('is known again by its hash, which is another each time', async () => {
    const [one, two] = await Promise.all([hashPassword(Buffer.from('right')), hashPassword(Buffer.from('right'))])
    assert.notEqual(one, two)
    const hash = parsePasswordHash(one)
    assert.ok(hash)
    assert.deepEqual(
      [await isPassword(hash, Buffer.from('right')), await isPassword(hash, Buffer.from('wrong'))],
      [true, false],
    )
  })

  it('whose hash would cost more than it may is not read', () => {
    const salted = (cost: string): unknown => parsePasswordHash(`scrypt:${cost}:c2FsdHNhbHQ=:aGFzaGhhc2hoYXNoaGFzaA==`)
    assert.deepEqual(
      ['16384:8:1', '32768:8:1'].map(cost => salted(cost) !== undefined),
      [true, true],
    )
    for (const cost of ['1048576:8:1', '16384:8:64', '16384:0:1', '16383:8:1', '1:8:1', '0:8:1']) {
      assert.equal(salted(cost), undefined, cost)
    }
  })
})
