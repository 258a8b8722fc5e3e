import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Adapter, More } from '../../adapters/adapter.ts'
import { compileTopic } from '../../adapters/topic.ts'
import { Decoding } from '../../runtime/ingest/decoding.ts'
import { Ingest, type Tables } from '../../runtime/ingest/ingest.ts'
import { type Route, Routes } from '../../runtime/ingest/routes.ts'
import type { Json } from '../../runtime/reading.ts'
import type { Change } from '../../runtime/store/types.ts'

/** Its payload is the `more` of what it decodes, and `recall` of a key. */
const echo: Adapter = {
  name: 'echo',
  decode: (payload, _levels, message) => {
    const { recall, ...more } = JSON.parse(Buffer.from(payload).toString()) as More & { recall?: string }
    if (recall === undefined) return { ok: true, readings: [], more }
    const known = `${message.topic} ${message.retain} ${JSON.stringify(message.recall(recall))}`
    return { ok: true, readings: [], more: { presence: [{ device: known, isOnline: true }] } }
  },
}

function route(topic: string): Route {
  const compiled = compileTopic(topic)
  assert.ok(compiled.ok)
  return { pattern: compiled.pattern, adapter: echo, table: 'readings' }
}

/** A store of states; commits of it fail while it is full. */
function stateTables(): Tables & { isFull: boolean } {
  const stored = new Map<string, Json>()
  const tables = {
    isFull: false,
    states: () => stored,
    hasRoomFor: () => true,
    commit: async (changes: readonly Change[]) => {
      if (tables.isFull) throw new Error('disk full')
      for (const change of changes) {
        if (change.kind !== 'state') continue
        if (change.value === undefined) stored.delete(change.key)
        else stored.set(change.key, change.value)
      }
      return { stored: 0, duplicates: 0, applied: 0, superseded: 0 }
    },
  }
  return tables
}

function pipe(tables: Tables, heard: string[] = []) {
  const ingest = new Ingest(new Routes([route('one/#'), route('two/#')]), tables, {
    onTold: ({ presence = [], replies = [], adapter }) =>
      heard.push(...presence.map(({ device }) => `${adapter} ${device}`), ...replies.map(({ topic }) => topic)),
  })
  const say = (topic: string, more: More & { recall?: string }): Promise<string> =>
    new Promise(resolve => {
      const publish = { client: 'c', topic, payload: Buffer.from(JSON.stringify(more)), retain: false, arrivalMs: 1 }
      ingest.accept(publish, error => resolve(error?.message ?? 'taken'))
    })
  return { say, heard }
}

describe('what an adapter wants remembered', () => {
  it('is recalled by messages of the same route alone, after a restart too', async () => {
    const tables = stateTables()
    const { say } = pipe(tables)
    await say('one/a', { remember: [{ key: 'alias', value: 7 }] })
    const { say: sayAgain, heard } = pipe(tables)
    await sayAgain('one/b', { recall: 'alias' })
    await sayAgain('two/b', { recall: 'alias' })
    await sayAgain('one/b', { remember: [{ key: 'alias', value: undefined }] })
    await sayAgain('one/c', { recall: 'alias' })
    assert.deepEqual(heard, ['echo one/b false 7', 'echo two/b false undefined', 'echo one/c false undefined'])
  })

  it('is known to the next message of the same turn, and forgotten if it was not stored', async () => {
    const tables = stateTables()
    const { say, heard } = pipe(tables)
    tables.isFull = true
    const answers = [say('one/a', { remember: [{ key: 'k', value: 1 }] }), say('one/b', { recall: 'k' })]
    assert.deepEqual(await Promise.all(answers), ['disk full', 'disk full'])
    assert.deepEqual(heard, [], 'what was not stored is not told')
    tables.isFull = false
    await Promise.all([say('one/c', { recall: 'k' }), say('one/d', { remember: [{ key: 'k', value: 2 }] })])
    await Promise.all([say('one/e', { remember: [{ key: 'k', value: 3 }] }), say('one/f', { recall: 'k' })])
    assert.deepEqual(heard, ['echo one/c false undefined', 'echo one/f false 3'])
  })

  it('is bounded: a value that is too large is counted and not kept', () => {
    const decoding = new Decoding({ states: () => new Map() })
    const payload = Buffer.from(JSON.stringify({ remember: [{ key: 'k', value: 'x'.repeat(20_000) }] }))
    decoding.decode({ route: route('one/#'), levels: new Map() }, { topic: 'one/a', payload, arrivalMs: 1 }, undefined)
    assert.deepEqual([decoding.forgotten, decoding.take().changes], [1, []])
  })

  it('is bounded in all, so that a device that invents names does not fill the memory', () => {
    const stored = new Map<string, Json>()
    const decoding = new Decoding({ states: () => stored })
    const say = (more: More): void => {
      const payload = Buffer.from(JSON.stringify(more))
      decoding.decode(
        { route: route('one/#'), levels: new Map() },
        { topic: 'one/a', payload, arrivalMs: 1 },
        undefined,
      )
    }
    const value = 'x'.repeat(16_000)
    const remember = (from: number, to: number, what: Json): void => {
      for (let key = from; key < to; key++) say({ remember: [{ key: `k${key}`, value: what }] })
    }
    remember(0, 1_100, value)
    const taken = decoding.take().changes.length
    assert.ok(taken > 1_000 && taken < 1_100, `${taken} of 16,000 characters`)
    assert.equal(decoding.forgotten, 1_100 - taken)
    remember(0, taken, 1)
    remember(2_000, 2_010, value)
    assert.equal(decoding.forgotten, 1_100 - taken, 'what was given back is there for others')
    decoding.reset()
    remember(0, 1_100, value)
    assert.equal(decoding.forgotten, 2 * (1_100 - taken), 'a commit that failed took nothing')
  })
})

describe('what an adapter wants answered', () => {
  it('is told after the commit', async () => {
    const { say, heard } = pipe(stateTables())
    assert.equal(await say('one/a', { replies: [{ topic: 'rebirth', payload: 'x', qos: 0 }] }), 'taken')
    assert.deepEqual(heard, ['rebirth'])
  })

  it('is told with its source, which no client of our own broker can pretend to be', async () => {
    const told: unknown[] = []
    const ingest = new Ingest(new Routes([route('one/#')]), stateTables(), {
      onTold: ({ source, replies = [] }) => told.push([source, replies.length]),
    })
    const payload = Buffer.from(JSON.stringify({ replies: [{ topic: 'rebirth', payload: 'x', qos: 0 }] }))
    const say = (from: { readonly client: string; readonly source?: string }): Promise<void> =>
      new Promise(resolve => ingest.accept({ ...from, topic: 'one/a', payload, arrivalMs: 1 }, () => resolve()))
    await say({ client: 'source:plant' })
    await say({ client: 'source:plant', source: 'plant' })
    assert.deepEqual(told, [
      [undefined, 1],
      ['plant', 1],
    ])
  })
})
