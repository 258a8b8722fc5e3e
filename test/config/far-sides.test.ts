/** What the configuration says of far sides: a plain broker, and a broker between gateways and hub. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Config } from '../../runtime/config/config.ts'
import { loadConfig } from '../../runtime/config/load.ts'
import { formatProblem } from '../../runtime/document.ts'

const doors = { environment: {}, hostName: 'pi', readSecret: () => ({ text: 'secret', mode: 0o600 }) }

function config(text: string): Config {
  const loaded = loadConfig('/etc/c.yaml', text, doors)
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.problems.map(formatProblem).join('\n'))
  return loaded.config
}

function problem(text: string): string {
  const loaded = loadConfig('/etc/c.yaml', text, doors)
  assert.ok(!loaded.ok, 'nothing was wrong')
  return loaded.problems.map(found => formatProblem(found).replace(/^\/etc\/c\.yaml:/, '')).join('\n')
}

const bridge = (more: string): string => `bridges:\n  - {name: a, url: 'mqtt://h', target: broker, ${more}}\n`

describe('a bridge to a plain broker', () => {
  test('has a topic and a payload for each stream, and no user of its own making', () => {
    const text = bridge(
      `publish: [alerts, {table: readings, topic: 'p/{device}', format: cbor, payload: {v: '{value}'}}]`,
    )
    const [one] = config(text).bridges
    assert.deepEqual(
      one?.publish.map(({ table, topic, format, payload }) => [table, topic, format, payload]),
      [
        ['alerts', undefined, 'json', undefined],
        ['readings', 'p/{device}', 'cbor', { v: '{value}' }],
      ],
    )
    assert.equal(one?.username, undefined)
  })

  test('takes nothing down', () => {
    assert.match(problem(bridge('subscribe: [thresholds]')), /^2:\d+: tables come down from a hub alone/)
  })

  test('names in its templates only what the entries of the table have', () => {
    const of = (stream: string): string => problem(bridge(`publish: [{${stream}}]`))
    assert.match(of(`table: readings, topic: 'x/{key}'`), /an entry of the series table "readings" has no \{key\}/)
    assert.match(of(`table: alerts, topic: 'x/{device}'`), /an entry of the records table "alerts" has no \{device\}/)
    assert.match(of(`table: readings, topic: 'x/+'`), /has no wildcards/)
    assert.match(of(`table: readings, payload: '{valeu}'`), /has no \{valeu\}: did you mean \{value\}\?/)
    assert.match(of(`table: alerts, payload: {d: '{device}'}`), /has no \{device\}/)
  })

  test('is held to selection, windows and budgets like any other; the order is that of the table', () => {
    const stream = `{table: readings, where: 'value > 8', every: {period: 1m}, window: '02:00-04:00'}`
    const [one] = config(bridge(`rate: 10kB, daily_bytes: 5MB, publish: [${stream}]`)).bridges
    assert.deepEqual([one?.rateBytes, one?.dailyBytes, one?.publish[0]?.where], [10_000, 5_000_000, 'value > 8'])
    assert.match(problem(bridge('publish: [{table: readings, live_first: true}]')), /in their order/)
  })

  test('is not confused with a hub', () => {
    const text = `bridges: [{name: a, url: 'mqtt://h', publish: [{table: readings, topic: x, payload: y}]}]`
    assert.match(problem(text), /a hub has topics of its own: topic is for a bridge with target: broker/)
    assert.match(problem(text), /a hub has topics of its own: payload is/)
  })

  test('may take one table to several topics, by a bridge each', () => {
    const one = `{name: a, url: 'mqtt://h', target: broker, publish: [readings]}`
    assert.equal(config(`bridges: [${one}, ${one.replace('name: a', 'name: b')}]`).bridges.length, 2)
  })

  test('has one stream for each table, because a stream is one cursor', () => {
    assert.match(problem(bridge('publish: [readings, {table: readings, topic: x}]')), /readings" is here twice/)
  })
})

describe('a hub behind a broker', () => {
  test('dials and does not listen: its listener stands in nobody else’s way', () => {
    const { hub } = config(`hub: {broker: {url: 'mqtts://b', password: p}}\nbroker: {listen: '127.0.0.1:1884'}\n`)
    assert.deepEqual(hub?.broker, {
      farSide: { url: 'mqtts://b:8883', host: 'b', port: 8883, tls: true },
      username: 'pi',
      password: 'p',
      passwordFile: undefined,
      tls: undefined,
    })
  })

  test('leaves users and certificates to that broker', () => {
    const text = `hub:\n  broker: {url: 'mqtt://b'}\n  gateways: {g: {password: p}}\n  tls: {cert: c, key: k}\n`
    assert.match(problem(text), /3:3: with hub.broker the hub does not listen/)
    assert.match(problem(text), /4:3: with hub.broker the hub does not listen/)
  })
})

describe('what must not look as if it were held to', () => {
  test('certificates beside an address where nothing is encrypted', () => {
    const tls = 'tls: {ca: ca.pem}'
    assert.match(
      problem(`bridges: [{name: a, url: 'mqtt://h', ${tls}}]`),
      /^1:\d+: certificates have no effect on mqtt:/,
    )
    assert.match(problem(`hub: {broker: {url: 'mqtt://h', ${tls}}}`), /^1:\d+: certificates have no effect on mqtt:/)
    assert.equal(config(`bridges: [{name: a, url: 'mqtts://h', ${tls}}]`).bridges.length, 1)
  })

  test('parked rows that would travel', () => {
    const stay = /^1:\d+: parked rows stay where they are/
    assert.match(problem(`bridges: [{name: a, url: 'mqtt://h', publish: [alerts, parked]}]`), stay)
    assert.match(problem(`bridges: [{name: a, url: 'mqtt://h', subscribe: [parked]}]`), stay)
    assert.match(problem('hub: {accept: [parked]}'), stay)
    assert.match(problem('hub: {offer: [parked]}'), stay)
  })
})
