import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { expiryWarning, Identity } from '../../runtime/identity/identity.ts'
import type { Log } from '../../runtime/log.ts'
import { systemTime } from '../../runtime/replication/time.ts'
import { Authority, type Signed } from '../rigs/certificates.ts'

const day = 86_400_000

describe('identity files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-identity-'))
  const [cert, key] = [join(folder, 'own.pem'), join(folder, 'own.key')]
  let authority: Authority
  let first: Signed
  let second: Signed
  let lines: string[] = []
  const identities: Identity[] = []
  const note = (fields: unknown, line?: string) => void lines.push(line ?? JSON.stringify(fields))
  const log: Log = { debug: note, info: note, warn: note, error: note, child: () => log }
  const doors = { wallMs: () => systemTime.wallMs(), after: () => () => undefined, log }

  async function open(files: Parameters<typeof Identity.open>[0]): Promise<Identity> {
    const identity = await Identity.open(files, doors)
    identities.push(identity)
    return identity
  }

  function place({ cert: from, key: fromKey }: Signed): void {
    copyFileSync(from, cert)
    copyFileSync(fromKey, key)
  }

  before(() => {
    authority = new Authority(folder)
    first = authority.sign('gw-1', { file: 'first' })
    second = authority.sign('gw-1', { file: 'second' })
  })
  afterEach(() => {
    lines = []
    for (const identity of identities.splice(0)) identity.close()
  })
  after(() => rmSync(folder, { recursive: true }))

  it('are read again when they change, however they are replaced, and not when they do not', async () => {
    place(first)
    const identity = await open({ cert, key, ca: authority.cert })
    let changes = 0
    identity.onChange(() => changes++)
    const before = identity.material.cert
    await identity.look()
    assert.equal(changes, 0)
    place(second)
    await identity.look()
    assert.notDeepEqual(identity.material.cert, before)
    // As certbot does: links that are moved.
    for (const name of ['cert', 'key'] as const) {
      const at = name === 'cert' ? cert : key
      symlinkSync(first[name], `${at}.new`)
      renameSync(`${at}.new`, at)
    }
    await identity.look()
    assert.deepEqual([changes, identity.material.cert], [2, before])
    assert.equal(lines.length, 2)
    rmSync(cert)
    rmSync(key)
  })

  it('keep the old pair in force, with one line, while the new one is half there', async () => {
    place(first)
    const identity = await open({ cert, key })
    const before = identity.material
    copyFileSync(second.cert, cert)
    for (let times = 0; times < 3; times++) await identity.look()
    assert.deepEqual([identity.material, lines.length], [before, 1])
    assert.match(identity.problem ?? '', /the key is not that of the certificate/)
    writeFileSync(cert, '-----BEGIN CERTIFICATE-----\nMII')
    await identity.look()
    rmSync(key)
    await identity.look()
    assert.match(identity.problem ?? '', /own\.key does not exist/)
    assert.deepEqual(identity.material, before)
    place(second)
    await identity.look()
    assert.equal(identity.problem, undefined)
    assert.notDeepEqual(identity.material, before)
  })

  it('that hold something else are named, and what was wanted of them', async () => {
    place(first)
    const identity = await open({ cert, key })
    copyFileSync(first.key, cert)
    await identity.look()
    assert.equal(identity.problem, 'the file tls.cert holds no certificate in PEM form')
    copyFileSync(first.cert, cert)
    copyFileSync(first.cert, key)
    await identity.look()
    assert.equal(identity.problem, 'the file tls.key holds no key that can be read in PEM form')
    rmSync(cert)
    rmSync(key)
  })

  it('that are missing at the start may come later', async () => {
    rmSync(cert, { force: true })
    const identity = await open({ cert, key })
    assert.match(identity.problem ?? '', /own\.pem does not exist/)
    assert.equal(identity.material.cert, undefined)
    place(first)
    await identity.look()
    assert.notEqual(identity.material.cert, undefined)
  })

  it('hold a password too, without its line end, and nothing of it is ever said', async () => {
    const password = join(folder, 'password')
    writeFileSync(password, 'one secret\n', { mode: 0o600 })
    const identity = await open({ password })
    assert.equal(identity.password, 'one secret')
    writeFileSync(password, 'two secret\n')
    await identity.look()
    writeFileSync(password, '')
    await identity.look()
    assert.equal(identity.password, 'two secret')
    assert.doesNotMatch(JSON.stringify(lines), /secret/)
  })

  it('tell an expiry once when it is near, and with the days left', async () => {
    const short = authority.sign('gw-1', { file: 'short', days: 3 })
    const identity = await open(short)
    for (let times = 0; times < 3; times++) await identity.look()
    assert.equal(lines.length, 1)
    assert.match(lines[0] ?? '', /our certificate expires in 2 days/)
    assert.equal(expiryWarning(100 * day, 0), undefined)
    assert.match(expiryWarning(day * 1.5, 0) ?? '', /in 1 day, on 1970-01-02/)
    assert.match(expiryWarning(day, day) ?? '', /has expired on 1970-01-02/)
    assert.equal(expiryWarning(undefined, 0), undefined)
  })
})
