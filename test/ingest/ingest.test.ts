import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openAdapter } from '../../adapters/open.ts'
import { compileTopic } from '../../adapters/topic.ts'
import { Ingest, type Tables } from '../../runtime/ingest/ingest.ts'
import { type Route, Routes } from '../../runtime/ingest/routes.ts'
import type { Value } from '../../runtime/reading.ts'
import type { Change, KeepChange } from '../../runtime/store/types.ts'

function route(topic: string, adapter: string, table = 'readings', options = {}): Route {
  const compiled = compileTopic(topic)
  assert.ok(compiled.ok)
  return { pattern: compiled.pattern, adapter: openAdapter(adapter, options), table }
}

const routes = new Routes([
  route('sensors/{device}/{metric}', 'json'),
  route('plain/{device}/{metric}', 'number', 'counts'),
  route('many/{device}', 'json', 'readings', { values: { temperature: 'temp', humidity: 'hum' } }),
])

/** A store that holds its answer until the test gives it. */
function heldTables(): Tables & { commits: Change[][]; answer: (error?: Error) => void; full: Set<string> } {
  const full = new Set<string>()
  const commits: Change[][] = []
  let settle: { resolve: () => void; reject: (error: Error) => void } | undefined
  return {
    commits,
    full,
    answer: error => (error ? settle?.reject(error) : settle?.resolve()),
    states: () => new Map(),
    hasRoomFor: (_table, device) => !full.has(device),
    commit: changes => {
      commits.push([...changes])
      const stored = changes.reduce((sum, change) => sum + (change.kind === 'append' ? change.readings.length : 0), 0)
      return new Promise((resolve, reject) => {
        settle = { resolve: () => resolve({ stored, duplicates: 0, applied: 0, superseded: 0 }), reject }
      })
    },
  }
}

const publish = (topic: string, payload: string) => ({
  client: 'c1',
  topic,
  payload: Buffer.from(payload),
  arrivalMs: 1000,
})
const turn = () => new Promise(resolve => setImmediate(resolve))

describe('ingest', () => {
  it('puts a message of a device that its client may not speak for among the rejects, whole', async () => {
    const tables = heldTables()
    const ingest = new Ingest(
      new Routes([route('up/{gateway}', 'json', 'readings', { fields: { device: 'who' }, values: { t: 't' } })]),
      tables,
    )
    const mayName = (device: string): boolean => device === 'mine'
    const answers: unknown[] = []
    for (const who of ['mine', 'other'])
      ingest.accept({ ...publish('up/g', JSON.stringify({ who, t: 1 })), mayName }, error => answers.push(error))
    ingest.flush()
    tables.answer()
    await turn()
    assert.deepEqual(answers, [undefined, undefined], 'both are acknowledged')
    const stored = (tables.commits[0] ?? []).flatMap(change =>
      change.kind === 'append'
        ? change.readings.map(({ device, value }) => [change.table, device, value] as const)
        : [],
    )
    assert.deepEqual(stored[0], ['readings', 'mine', 1])
    assert.equal(stored.length, 2)
    assert.match(JSON.stringify(stored[1]), /^\["rejects",.*may not speak for \\"other\\"/)
  })

  it('writes what sessions keep of a publish in the commit of its reading, a reject too, and once', async () => {
    const tables = heldTables()
    const ingest = new Ingest(routes, tables)
    const keep = (key: string): KeepChange => ({
      kind: 'keep',
      owner: 'broker',
      key,
      bytes: Buffer.from('x'),
      whenFull: 'refuse',
    })
    const kept = (topic: string, payload: string, key: string) => ({ ...publish(topic, payload), keep: [keep(key)] })
    ingest.accept(kept('sensors/a/temperature', '{"value":1}', 'm1'), () => undefined)
    ingest.accept(kept('sensors/a/temperature', 'no reading', 'm2'), () => undefined)
    ingest.flush()
    ingest.accept(publish('sensors/a/temperature', '{"value":2}'), () => undefined)
    ingest.flush()
    const keys = tables.commits.map(changes =>
      changes.map(change => (change.kind === 'keep' ? change.key : change.kind)),
    )
    assert.deepEqual(keys, [['append', 'append', 'm1', 'm2'], ['append']])
  })

  it('does not store again what somebody has kept from before and is stored already', async () => {
    const tables = heldTables()
    const newest = new Map<string, { value: Value; deviceTimeMs: number | undefined }>([
      ['a', { value: 1, deviceTimeMs: undefined }],
      ['b', { value: { x: [1] }, deviceTimeMs: 5_000 }],
    ])
    const ingest = new Ingest(routes, tables, { newest: (_table, { device }) => newest.get(device) })
    const answers: string[] = []
    const accept = (device: string, payload: string, isOld = true) => {
      const told = { ...publish(`sensors/${device}/temperature`, payload), isOld }
      ingest.accept(told, () => answers.push(`${device} ${payload}`))
    }
    accept('a', '{"value":1}')
    accept('b', '{"value":{"x":[1]},"time":5}')
    ingest.flush()
    accept('a', '{"value":2}')
    accept('b', '{"value":{"x":[1]},"time":6}')
    accept('c', '{"value":1}')
    accept('a', '{"value":1}', false)
    ingest.flush()
    const stored = tables.commits.map(changes =>
      changes.flatMap(change => (change.kind === 'append' ? change.readings.map(({ device }) => device) : [])),
    )
    assert.deepEqual(stored, [[], ['a', 'b', 'c', 'a']])
    assert.equal(ingest.counts.duplicates, 2)
    tables.answer()
    await turn()
    assert.equal(answers.length, 4, 'and it is answered')
  })

  it('answers a publish only after the commit that holds it [I1]', async () => {
    const tables = heldTables()
    const ingest = new Ingest(routes, tables)
    const answers: (Error | undefined)[] = []
    ingest.accept(publish('sensors/a/temperature', '{"value":1}'), error => answers.push(error))
    ingest.accept(publish('plain/a/count', '7'), error => answers.push(error))
    ingest.flush()
    await turn()
    assert.equal(tables.commits.length, 1, 'both are one commit')
    assert.deepEqual(answers, [])
    tables.answer()
    await turn()
    assert.deepEqual(answers, [undefined, undefined])
    assert.deepEqual(ingest.counts, { publishes: 2, readings: 2, duplicates: 0, rejects: 0 })
  })

  it('gives the error of a failed commit to every publish in it', async () => {
    const tables = heldTables()
    const ingest = new Ingest(routes, tables)
    const answers: (Error | undefined)[] = []
    for (const value of [1, 2]) ingest.accept(publish('sensors/a/t', `${value}`), error => answers.push(error))
    await turn()
    tables.answer(new Error('disk full'))
    await turn()
    assert.deepEqual(
      answers.map(error => error?.message),
      ['disk full', 'disk full'],
    )
    assert.equal(ingest.counts.readings, 0)
  })

  it('keeps what cannot be decoded in rejects, with topic, reason and first bytes, and answers it', async () => {
    const tables = heldTables()
    const ingest = new Ingest(routes, tables)
    let isAnswered = false
    ingest.accept(
      publish('sensors/a/temperature', `{"value":${'9'.repeat(300)}`),
      error => (isAnswered = error === undefined),
    )
    ingest.flush()
    tables.answer()
    await turn()
    assert.ok(isAnswered)
    const [change] = tables.commits[0] ?? []
    assert.ok(change?.kind === 'append' && change.table === 'rejects')
    const value = change.readings[0]?.value as { topic: string; reason: string; bytes: number; text: string }
    assert.equal(change.readings[0]?.device, 'a', 'under the device that the topic names')
    assert.deepEqual([value.topic, value.bytes, value.text.length], ['sensors/a/temperature', 309, 128])
    assert.match(value.reason, /JSON/)
    assert.deepEqual(ingest.counts, { publishes: 1, readings: 0, duplicates: 0, rejects: 1 })
  })

  it('joins the readings of one message, and not those of the next', async () => {
    const tables = heldTables()
    const ingest = new Ingest(routes, tables)
    for (const device of ['a', 'b']) ingest.accept(publish(`many/${device}`, '{"temp":1,"hum":2}'), () => undefined)
    ingest.flush()
    const [change] = tables.commits[0] ?? []
    assert.ok(change?.kind === 'append')
    assert.deepEqual(
      change.readings.map(({ device, metric, joined }) => [device, metric, joined]),
      [
        ['a', 'temperature', false],
        ['a', 'humidity', true],
        ['b', 'temperature', false],
        ['b', 'humidity', true],
      ],
    )
    tables.answer()
    await turn()
  })

  it('rejects a reading for which a table has no room, by name', async () => {
    const tables = heldTables()
    tables.full.add('invented')
    const ingest = new Ingest(routes, tables)
    ingest.accept(publish('sensors/invented/t', '1'), () => undefined)
    ingest.flush()
    const [change] = tables.commits[0] ?? []
    assert.ok(change?.kind === 'append' && change.table === 'rejects')
    const value = change.readings[0]?.value as unknown as { reason: string }
    assert.match(value.reason, /too many series: no room for invented\/t/)
    tables.answer()
    await turn()
  })

  it('wants the topics of its routes alone', () => {
    const ingest = new Ingest(routes, heldTables())
    assert.deepEqual(
      ['sensors/a/b', 'sensors/a', 'plain/x/y', '$SYS/x/y', 'other'].map(topic => ingest.wants(topic)),
      [true, false, true, false, false],
    )
  })
})
