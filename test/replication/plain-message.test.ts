import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Decoder } from 'cbor-x'
import type { Json } from '../../runtime/reading.ts'
import { type MessageOptions, messageOfEntry } from '../../runtime/replication/plain/plain-message.ts'
import { compileTopicTemplate } from '../../runtime/topic-template.ts'
import { readingEntry, recordEntry, series } from './entries.ts'

const optionsOf = (topic: string, more: Partial<MessageOptions> = {}): MessageOptions => {
  const compiled = compileTopicTemplate(topic)
  assert.ok(compiled.ok, topic)
  return { gateway: 'gw-1', table: 'readings', topic: compiled.template, format: 'json', payload: undefined, ...more }
}

const readingTopic = 'plant/{gateway}/{table}/{device}/{metric}'

function message(
  entry: Parameters<typeof messageOfEntry>[0],
  options: MessageOptions,
): { topic: string; payload: string } {
  const made = messageOfEntry(entry, options)
  assert.ok(made.ok, made.ok ? '' : made.reason)
  return { topic: made.topic, payload: String(made.payload) }
}

describe('a topic template', () => {
  it('makes topics that every broker takes, whatever a device is called', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'binary', maxLength: 40 }), name => {
        const { topic } = message(readingEntry(1, { series: series(name) }), optionsOf(readingTopic))
        assert.match(topic, /^plant\/gw-1\/readings\/[A-Za-z0-9_-]+\/temperature$/)
      }),
    )
  })

  it('puts one _ for each character that a topic level may not have', () => {
    const of = (device: string): string =>
      message(readingEntry(1, { series: series(device) }), optionsOf('{device}')).topic
    assert.equal(of('hall/freezer 1'), 'hall_freezer_1')
    assert.equal(of('+/#\0.°'), '______')
    assert.equal(of('freezer_1-b'), 'freezer_1-b')
  })

  it('refuses, with a sentence, what could never be a topic', () => {
    const faults: Record<string, RegExp> = {
      'a//b': /no empty level/,
      '/a': /no empty level/,
      'a/': /no empty level/,
      'a/+/b': /no wildcards/,
      'a/#': /no wildcards/,
      'a b': /no spaces/,
      'a\0': /no control/,
      '{devise}': /there is no \{devise\}/,
      'a/{device': /braces/,
      'a/{de/vice}': /braces/,
      '$SYS/x': /belong to the broker/,
      '1/2/3/4/5/6/7/8/9': /at most 7 slashes/,
    }
    for (const [text, reason] of Object.entries(faults)) {
      const compiled = compileTopicTemplate(text)
      assert.ok(!compiled.ok, text)
      assert.match(compiled.reason, reason)
    }
  })

  it('makes no topic with an empty level or beyond its length: it says so', () => {
    const bare = readingEntry(1, { series: { ...series('a'), unit: undefined } })
    assert.deepEqual(messageOfEntry(bare, optionsOf('x/{unit}')), { ok: false, reason: 'topic-level-empty' })
    assert.equal(message(bare, optionsOf('x/u{unit}')).topic, 'x/u')
    const long = recordEntry(1, { key: 'k'.repeat(3_000) })
    assert.deepEqual(messageOfEntry(long, optionsOf('x/{key}')), { ok: false, reason: 'topic-too-long' })
  })
})

describe('a message to a plain broker', () => {
  it('holds by default what a reader of readings or records needs', () => {
    const reading = readingEntry(7, { deviceTimeMs: 1_700_000_000_000 })
    assert.deepEqual(JSON.parse(message(reading, optionsOf(readingTopic)).payload), {
      device: 'freezer-1',
      metric: 'temperature',
      value: 1.5,
      time_ms: 1_700_000_000_000,
      unit: '°C',
      origin: 'gw-1',
      seq: 7,
    })
    const record = JSON.parse(message(recordEntry(8), optionsOf('x/{key}')).payload) as { stamp_ms: number }
    assert.deepEqual(record, { key: 'key-8', value: { seq: 8 }, stamp_ms: record.stamp_ms, origin: 'gw-1', seq: 8 })
    const deleted = JSON.parse(message(recordEntry(9, { value: undefined }), optionsOf('x/{key}')).payload) as object
    assert.deepEqual(deleted, {
      key: 'key-9',
      value: null,
      deleted: true,
      stamp_ms: record.stamp_ms,
      origin: 'gw-1',
      seq: 9,
    })
  })

  it('follows a payload template: a text, or a map whose fields keep their type', () => {
    const of = (payload: Json, entry: Parameters<typeof messageOfEntry>[0] = readingEntry(3)): string =>
      message(entry, optionsOf('x/{table}', { payload })).payload
    assert.equal(of('{value}'), '1.5')
    assert.equal(of('{value}', readingEntry(3, { value: 'on' })), 'on')
    assert.equal(of('{value}', recordEntry(3, { value: undefined })), '')
    assert.equal(of('{device} is at {value} {unit}'), 'freezer-1 is at 1.5 °C')
    assert.equal(of('{"v":{value},"id":"{id}"}'), '{"v":1.5,"id":""}')
    const map = { t: '{time_ms}', v: '{value}', id: '{id}', site: 'north', more: { who: 'by {origin}', n: 1 } }
    assert.deepEqual(JSON.parse(of(map)), {
      t: 1_790_000_000_003,
      v: 1.5,
      site: 'north',
      more: { who: 'by gw-1', n: 1 },
    })
    assert.equal(of('{time}'), new Date(1_790_000_000_003).toISOString())
  })

  it('is CBOR where that is asked for', () => {
    const made = messageOfEntry(readingEntry(1), optionsOf(readingTopic, { format: 'cbor', payload: { v: '{value}' } }))
    assert.ok(made.ok)
    assert.deepEqual(new Decoder({ mapsAsObjects: true }).decode(made.payload), { v: 1.5 })
  })

  it('is not made where it would be larger than a broker takes: it says so', () => {
    const large = recordEntry(1, { value: 'x'.repeat(128 * 1024) })
    assert.deepEqual(messageOfEntry(large, optionsOf('x/{key}')), { ok: false, reason: 'payload-too-large' })
    const fits = messageOfEntry(recordEntry(1, { value: 'x'.repeat(120_000) }), optionsOf('x/{key}'))
    assert.ok(fits.ok)
  })

  it('holds what a template says of any entry, and never fails', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (template, value) => {
        const entry = recordEntry(1, { value: JSON.parse(JSON.stringify(value)) as Json })
        const payload = JSON.parse(JSON.stringify(template)) as Json
        assert.ok(messageOfEntry(entry, optionsOf('x/{key}', { payload })).ok)
      }),
    )
  })
})
