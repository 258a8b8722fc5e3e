/** GET backup: one at a time, as fast as it is taken, and gone with its reader. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { it } from 'node:test'
import { Backups } from '../../runtime/api/backup.ts'
import { until } from '../replication/rig.ts'
import { openSurface } from './surface.ts'

it('makes one backup at a time, and only as much of it as its reader takes', async t => {
  let made = 0
  let open = 0
  async function* source(): AsyncGenerator<Buffer> {
    open++
    try {
      for (; made < 10_000; made++) yield Buffer.alloc(64 * 1024)
    } finally {
      open--
    }
  }
  const surface = await openSurface({ backup: source })
  t.after(() => surface.remove())
  const { request, response } = await surface.open('/api/v1/backup')
  await once(response, 'readable')
  const { status, json } = await surface.call('GET', '/api/v1/backup')
  assert.equal(status, 503)
  assert.match(JSON.stringify(json), /API_BUSY.*a backup is being made already/)
  let before = -1
  await until('it waits for its reader', () => made === before || ((before = made), false))
  assert.ok(made < 200, `${made} pieces are on the way to nobody`)
  request.destroy()
  await until('the place is free', () => open === 0)
  const next = await surface.open('/api/v1/backup')
  assert.equal(next.response.statusCode, 200)
  next.request.destroy()
  await until('it is free again', () => open === 0)
})

it('lets go of the database when its reader takes nothing any more', async () => {
  let isClosed = false
  async function* source(): AsyncGenerator<Buffer> {
    try {
      for (;;) yield Buffer.alloc(10)
    } finally {
      isClosed = true
    }
  }
  const backups = new Backups(source, 20)
  const reader = (backups.respond().body as ReadableStream<Uint8Array>).getReader()
  await reader.read()
  await until('it was given up', () => isClosed)
  await assert.rejects(async () => {
    for (;;) await reader.read()
  }, /nobody takes this backup/)
})
