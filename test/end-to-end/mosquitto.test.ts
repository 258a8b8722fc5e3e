/**
 * Debian's mosquitto_pub and mosquitto_sub against a gateway: clients that we did not write, as devices and scripts use
 * them.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { after, before, beforeEach, describe, type TestContext, test } from 'node:test'
import type { AlertRow } from '../../rules/alert/alert.ts'
import { eventually, freePort, type Program, Site, storeConfig } from './programs.ts'

const isThere = spawnSync('mosquitto_pub', ['--help']).error === undefined
if (!isThere && process.env.CI === 'true') throw new Error('mosquitto_pub is missing: install mosquitto-clients')
const skip = isThere ? false : 'mosquitto_pub is missing: install the Debian package mosquitto-clients'

const rules = `
groups:
  - name: cold-store
    rules:
      - alert: TooWarm
        match: { metric: temperature }
        above: { table: thresholds, key: "{device}" }
        labels: { severity: critical }
        annotations: { summary: "{{ $device }} is at {{ $value }}, limit {{ $threshold }}" }
`

type Ended = { readonly code: number; readonly err: string }

describe('mosquitto', { skip, timeout: 120_000 }, () => {
  const site = new Site()
  let gateway: Program
  let port: number
  let device = ''
  let tests = 0

  before(async () => {
    port = await freePort()
    const config = `gateway: { id: gw }\n${storeConfig}\nbroker: { listen: '127.0.0.1:${port}' }\n`
    gateway = site.program('gateway', { config, rules })
    await gateway.start()
  })
  after(() => site.remove())
  // Each test has a device of its own.
  beforeEach(() => {
    device = `freezer-${++tests}`
  })

  /** Runs mosquitto_pub to its end: for QoS 1 and 2, that is the acknowledgement. */
  function publish(...args: string[]): Promise<Ended> {
    return new Promise(resolve => {
      execFile('mosquitto_pub', ['-p', String(port), ...args], (error, _out, err) => {
        resolve({ code: error === null ? 0 : Number(error.code), err })
      })
    })
  }

  async function mustPublish(...args: string[]): Promise<void> {
    assert.deepEqual(await publish(...args), { code: 0, err: '' })
  }

  /** A mosquitto_sub that is subscribed when this resolves, and the lines `topic payload` that it prints. */
  async function subscribe(t: TestContext, ...args: string[]) {
    // Into a pipe it would keep its lines to itself until there are many.
    const child = spawn('stdbuf', ['-oL', 'mosquitto_sub', '-p', String(port), '-d', '-F', '= %t %p', ...args])
    t.after(() => child.kill('SIGKILL'))
    const lines: string[] = []
    let isSubscribed = false
    let rest = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n')
      rest = parts.pop() ?? ''
      for (const line of parts) {
        if (line.startsWith('= ')) lines.push(line.slice(2))
        if (line.startsWith('Subscribed')) isSubscribed = true
      }
    })
    await eventually(() => assert.ok(isSubscribed, 'it is not subscribed'))
    return { child, lines }
  }

  const values = async (): Promise<unknown[]> => {
    const readings = await gateway.readings()
    return readings.filter(reading => reading.device === device).map(({ metric, value }) => [metric, value])
  }

  test('a reading of QoS 1 or 2 is a row once mosquitto_pub is told so, of QoS 0 soon after', async () => {
    for (const qos of [1, 2]) {
      await mustPublish('-t', `sensors/${device}/temperature`, '-m', `-18.${qos}`, '-q', String(qos))
      assert.deepEqual((await values()).at(-1), ['temperature', Number(`-18.${qos}`)])
    }
    await mustPublish('-t', `sensors/${device}/temperature`, '-m', '{"value": -17, "unit": "°C"}', '-q', '0')
    await eventually(async () => assert.equal((await values()).length, 3))
    assert.deepEqual((await values()).at(-1), ['temperature', -17])
  })

  test('a thousand lines from one mosquitto_pub are a thousand rows, in order', async () => {
    const lines = Array.from({ length: 1_000 }, (_, index) => String(index))
    const child = spawn('mosquitto_pub', ['-p', String(port), '-t', `sensors/${device}/count`, '-q', '1', '-l'])
    child.stdin.end(`${lines.join('\n')}\n`)
    assert.deepEqual(await once(child, 'close'), [0, null])
    assert.deepEqual(
      await values(),
      lines.map(line => ['count', Number(line)]),
    )
  })

  test('9.5 with a threshold of 8 is an alert with the readings before it, and is announced', async t => {
    const { lines } = await subscribe(t, '-t', 'holdfast/alerts/#', '-q', '1')
    const { stamp } = await gateway.put('thresholds', device, 8)
    for (const value of ['7.5', '7.9', '9.5']) {
      await mustPublish('-t', `sensors/${device}/temperature`, '-m', value, '-q', '1')
    }
    const rows = await eventually(async () => {
      const found = await gateway.alerts()
      assert.equal(found.length, 1)
      return found
    })
    const row = rows[0] ?? assert.fail()
    const key = (await gateway.rows('alerts'))[0]?.key
    assert.deepEqual(
      [row.rule, row.device, row.metric, row.value, row.threshold, row.threshold_stamp, row.state, row.severity],
      ['TooWarm', device, 'temperature', 9.5, 8, stamp, 'firing', 'critical'],
    )
    assert.deepEqual(row.annotations, { summary: `${device} is at 9.5, limit 8` })
    assert.deepEqual(
      row.snippet?.series[0]?.points.map(([, value]) => value),
      [7.5, 7.9, 9.5],
    )

    await mustPublish('-t', `sensors/${device}/temperature`, '-m', '6', '-q', '1')
    await eventually(() => assert.equal(lines.length, 2))
    const topic = `holdfast/alerts/TooWarm/${device}/temperature`
    const told = lines.map(line => {
      assert.ok(line.startsWith(`${topic} `), line)
      return JSON.parse(line.slice(topic.length + 1)) as AlertRow & { key: string }
    })
    assert.deepEqual(told[0], { key, event: 'firing', notification: 1, ...row })
    assert.deepEqual([told[1]?.key, told[1]?.state, told[1]?.resolved_value], [key, 'resolved', 6])
  })

  test('mosquitto_sub hears readings with QoS 2 and wildcards, each once and in order', async t => {
    const all = await subscribe(t, '-t', 'sensors/#', '-q', '2')
    const one = await subscribe(t, '-t', `sensors/+/humidity`, '-q', '2')
    const sent: string[] = []
    for (const qos of ['2', '1', '0', '2']) {
      for (const metric of ['temperature', 'humidity']) {
        sent.push(`sensors/${device}/${metric} ${sent.length}`)
        await mustPublish('-t', `sensors/${device}/${metric}`, '-m', String(sent.length - 1), '-q', qos)
      }
    }
    await mustPublish('-t', 'sensors', '-m', 'a parent is no reading, but # hears it', '-q', '2')
    const last = 'sensors a parent is no reading, but # hears it'
    await eventually(() => assert.deepEqual(all.lines, [...sent, last]))
    await eventually(() =>
      assert.deepEqual(
        one.lines,
        sent.filter(line => line.includes('humidity')),
      ),
    )
    assert.equal((await values()).length, sent.length)
  })

  test('a retained message waits for who subscribes later, and a retained reading is stored too', async t => {
    await mustPublish('-t', 'shop/sign', '-m', 'open', '-q', '1', '-r')
    await mustPublish('-t', `sensors/${device}/temperature`, '-m', '4', '-q', '1', '-r')
    const { lines } = await subscribe(t, '-t', 'shop/#', '-t', `sensors/${device}/#`)
    await eventually(() => assert.deepEqual(lines.toSorted(), [`sensors/${device}/temperature 4`, 'shop/sign open']))
    assert.deepEqual(await values(), [['temperature', 4]])
    // An empty one takes it away again.
    await mustPublish('-t', 'shop/sign', '-n', '-q', '1', '-r')
    const later = await subscribe(t, '-t', 'shop/#', '-t', `sensors/${device}/#`)
    await eventually(() => assert.deepEqual(later.lines, [`sensors/${device}/temperature 4`]))
  })

  test('the will of a client that is gone is a reading, if its topic is one', async t => {
    const will = ['--will-topic', `sensors/${device}/online`, '--will-payload', '0', '--will-qos', '1']
    const { child } = await subscribe(t, '-t', 'nothing', ...will)
    await kill(child)
    await eventually(async () => assert.deepEqual(await values(), [['online', 0]]))
  })

  test('a session that is kept gets what came while its client was away', async t => {
    const session = ['-i', `${device}-screen`, '-c', '-q', '1', '-t', `sensors/${device}/#`]
    const first = await subscribe(t, ...session)
    await kill(first.child)
    await eventually(async () => assert.equal((await gateway.status()).broker?.counters['sessions'], 1))
    for (const value of ['1', '2', '3']) await mustPublish('-t', `sensors/${device}/door`, '-m', value, '-q', '1')
    const second = await subscribe(t, ...session)
    await eventually(() =>
      assert.deepEqual(
        second.lines,
        ['1', '2', '3'].map(value => `sensors/${device}/door ${value}`),
      ),
    )
  })

  test('garbage is acknowledged, stands in rejects with its reason, and stops nobody', async () => {
    const topic = `sensors/${device}/temperature`
    for (const payload of ['ERR sensor not ready', '{"value":', '{"value": null}']) {
      await mustPublish('-t', topic, '-m', payload, '-q', '1', '-i', device)
    }
    await mustPublish('-t', topic, '-n', '-q', '1', '-i', device)
    await mustPublish('-t', topic, '-m', '5', '-q', '1', '-i', device)
    assert.deepEqual(await values(), [['temperature', 5]])
    const rejects = (await gateway.readings('rejects')).map(({ value }) => value as Record<string, unknown>)
    assert.deepEqual(
      rejects.map(reject => [reject['topic'], reject['text']]),
      ['ERR sensor not ready', '{"value":', '{"value": null}', ''].map(text => [topic, text]),
    )
    for (const { reason } of rejects) assert.match(String(reason), /\w+ \w+/)
    assert.equal((await gateway.status()).ingest?.rejects, 4)
  })

  test('a client that speaks MQTT 5 alone is told so, and the log names the reason', async () => {
    const { code, err } = await publish('-V', 'mqttv5', '-t', `sensors/${device}/temperature`, '-m', '1', '-q', '1')
    assert.notEqual(code, 0)
    assert.match(err, /Unsupported Protocol Version/i)
    await eventually(() => assert.ok(gateway.heard.some(({ cause }) => cause === 'refused_protocol_version')))
    assert.deepEqual(await values(), [])
  })

  test('MQTT 3.1, which old devices speak, is taken', async () => {
    await mustPublish('-V', 'mqttv31', '-t', `sensors/${device}/temperature`, '-m', '1', '-q', '1')
    assert.deepEqual(await values(), [['temperature', 1]])
  })

  test('nobody may publish where the gateway itself speaks', async t => {
    const { lines } = await subscribe(t, '-t', 'holdfast/#')
    const { code } = await publish('-t', 'holdfast/alerts/TooWarm/x/temperature', '-m', '{"fake":true}', '-q', '1')
    assert.notEqual(code, 0)
    await publish('-t', 'holdfast/alerts/TooWarm/x/temperature', '-m', '{"fake":true}', '-q', '0')
    // What is heard after it shows that it was not.
    await gateway.put('thresholds', device, 8)
    await mustPublish('-t', `sensors/${device}/temperature`, '-m', '9', '-q', '1')
    await eventually(() => assert.equal(lines.length, 1))
    assert.match(lines[0] ?? '', new RegExp(`^holdfast/alerts/TooWarm/${device}/temperature `))
  })
})

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'close')
  child.kill('SIGKILL')
  await ended
}
