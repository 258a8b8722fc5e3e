import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { loadConfig } from '../../runtime/config/load.ts'
import { Authority } from '../rigs/certificates.ts'

describe('the id of a gateway', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-cn-'))
  const doors = {
    environment: {},
    hostName: 'box',
    readSecret: (path: string) => ({ text: readFileSync(path, 'utf8'), mode: 0o600 }),
  }
  const load = (text: string) => loadConfig(join(folder, 'holdfast.yaml'), text, doors)
  const bridge = (name: string, file: string): string =>
    `  - { name: ${name}, url: 'mqtts://${name}', tls: { cert: ${file}.pem, key: ${file}.key } }\n`

  before(() => {
    const authority = new Authority(folder)
    authority.sign('cold-1')
    authority.sign('cold-2')
    authority.sign('cold store.1', { file: 'spaces' })
  })
  after(() => rmSync(folder, { recursive: true }))

  it('is the name in its certificate, if it is not set', () => {
    const idOf = (text: string): unknown => {
      const loaded = load(text)
      return loaded.ok ? loaded.config.gateway.id : loaded.problems
    }
    assert.equal(idOf(`bridges:\n${bridge('up', 'cold-1')}`), 'cold-1')
    assert.equal(idOf(`bridges:\n${bridge('up', 'cold-2')}${bridge('side', 'cold-2')}`), 'cold-2')
    assert.equal(idOf(`gateway: { id: mine }\nbridges:\n${bridge('up', 'cold-1')}`), 'mine')
    assert.equal(idOf(`bridges: []\n`), 'box')
  })

  it('is no guess: a name that is no id, two names, and a certificate that is not there are errors', () => {
    const problem = (text: string): string => {
      const loaded = load(text)
      return loaded.ok ? '' : loaded.problems.map(({ message }) => message).join('; ')
    }
    assert.match(
      problem(`bridges:\n${bridge('up', 'spaces')}`),
      /"cold store\.1" of .* is no gateway id.*set gateway\.id/,
    )
    assert.match(
      problem(`bridges:\n${bridge('a', 'cold-1')}${bridge('b', 'cold-2')}`),
      /names "cold-2" and another bridge's names "cold-1": set gateway\.id/,
    )
    assert.match(problem(`bridges:\n${bridge('up', 'missing')}`), /missing\.pem does not exist; or set gateway\.id/)
  })
})
