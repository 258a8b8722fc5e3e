/** What a person reads when TLS fails: the errors are those that Node really throws, against servers with such certificates. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect, createServer } from 'node:tls'
import { after, describe, it } from 'node:test'
import { type Surroundings, mishapOf } from '../../runtime/replication/link/mishap.ts'
import { Authority, type Signed } from '../rigs/certificates.ts'

describe('the reason why there is no connection', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-mishap-'))
  after(() => rmSync(folder, { recursive: true }))
  const authority = new Authority(folder)

  /** What a client is thrown that trusts our authority and meets a server that shows this. */
  async function errorFrom({ cert, key }: Signed, options: ConnectionOptions = {}): Promise<Error> {
    const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) })
    server.on('tlsClientError', () => undefined)
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    try {
      return await new Promise((resolve, reject) => {
        const socket = connect({ host: '127.0.0.1', port, ca: readFileSync(authority.cert), ...options })
        socket.once('error', resolve)
        socket.once('secureConnect', () => {
          socket.destroy()
          reject(new Error('it connected'))
        })
      })
    } finally {
      await new Promise(resolve => server.close(resolve))
    }
  }

  // A board that boots behind the beginning of every certificate, and one that knows the time.
  const at = (clockTrusted: boolean): Surroundings => ({
    host: 'hub.example:8883',
    clientId: 'gw-cloud',
    wallMs: Date.UTC(2020, 0, 2, 3, 4),
    clockTrusted,
  })

  it('is our clock, for a certificate that is not yet valid, while nobody vouches for it', async () => {
    const error = await errorFrom(authority.sign('young', { startsInDays: 30 }))
    const { kind, reason } = mishapOf(error, at(false))
    assert.equal(kind, 'clock')
    assert.equal(
      reason,
      'the certificate of the far side is not yet valid, by our clock at 2020-01-02 03:04 UTC: our own clock is probably wrong; it connects by itself once the clock is set',
    )
  })

  it('is the certificate, for the same, once somebody does', async () => {
    const error = await errorFrom(authority.sign('young', { startsInDays: 30 }))
    const { kind, reason } = mishapOf(error, at(true))
    assert.equal(kind, 'certificate')
    assert.match(reason, /not yet valid, by our clock at 2020-01-02 03:04 UTC, which is trusted: .* renewed there/)
  })

  it('is the certificate that has expired, or our clock that may be ahead', async () => {
    const error = await errorFrom(authority.sign('old', { days: -1 }))
    const [known, unknown] = [mishapOf(error, at(true)), mishapOf(error, at(false))]
    assert.deepEqual([known.kind, unknown.kind], ['certificate', 'clock'])
    assert.match(known.reason, /has expired, .*: it has to be renewed there/)
    assert.match(unknown.reason, /has expired, .*: our own clock is probably wrong/)
  })

  it('is never the clock when the authority is not ours, or the name is another', async () => {
    const stranger = new Authority(folder, 'stranger').sign('strange')
    const unknown = mishapOf(await errorFrom(stranger), at(false))
    assert.equal(unknown.kind, 'certificate')
    assert.match(unknown.reason, /who signed .* is not known: name it in tls\.ca/)
    const other = mishapOf(await errorFrom(authority.sign('fine'), { servername: 'hub.example' }), at(false))
    assert.equal(other.kind, 'certificate')
    assert.match(other.reason, /is not for hub\.example:8883: set tls\.server_name/)
  })
})
