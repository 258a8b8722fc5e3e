import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Config } from '../../runtime/config/config.ts'
import { type ConfigDoors, systemDoors } from '../../runtime/config/doors.ts'
import { defaultConfig, loadConfig } from '../../runtime/config/load.ts'
import { formatProblem } from '../../runtime/document.ts'

const doors: ConfigDoors = {
  environment: {},
  hostName: 'pi.shop-12.local',
  readSecret: () => ({ text: 'from the file\n', mode: 0o600 }),
}

function config(text: string, given: Partial<ConfigDoors> = {}): Config {
  const loaded = loadConfig('/etc/holdfast/holdfast.yaml', text, { ...doors, ...given })
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.problems.map(formatProblem).join('\n'))
  return loaded.config
}

/** What is wrong, each as `line:column message`. */
function problems(text: string, given: Partial<ConfigDoors> = {}): string[] {
  const loaded = loadConfig('/etc/c.yaml', text, { ...doors, ...given })
  assert.ok(!loaded.ok, 'nothing was wrong')
  return loaded.problems.map(problem => formatProblem(problem).replace(/^\/etc\/c\.yaml:(\d+:\d+):/, '$1'))
}

describe('a configuration', () => {
  test('needs nothing: every default is there', () => {
    const loaded = defaultConfig('/srv', doors)
    assert.ok(loaded.ok)
    const { gateway, store, broker, routes, tables, rules, clock, bridges, hub, api, log } = loaded.config
    assert.deepEqual(gateway, { id: 'pi-shop-12-local', isNamed: false })
    assert.deepEqual(store, {
      path: '/srv/data',
      commitIntervalMs: 100,
      ballastBytes: 64_000_000,
      minFree: { kind: 'share', share: 0.05 },
      compact: '30 3 * * *',
    })
    assert.equal(broker?.listen, undefined)
    assert.deepEqual([...(broker?.access.roles.keys() ?? [])], ['device', 'reader', 'admin'])
    assert.equal(broker?.limits.packetBytesMax, 262_144)
    assert.equal(routes.length, 1)
    assert.equal(routes[0]?.topic, 'sensors/{device}/{metric}')
    assert.deepEqual([...tables.keys()].toSorted(), [
      'acks',
      'alerts',
      'clock',
      'device_labels',
      'devices',
      'gaps',
      'parked',
      'readings',
      'rejects',
      'silences',
      'thresholds',
    ])
    assert.deepEqual(
      { rules, clock, bridges, hub, api, log },
      {
        rules: { folder: '/srv/rules', zone: 'UTC' },
        clock: { trust: 'auto', maxAheadMs: 3_600_000 },
        bridges: [],
        hub: undefined,
        api: { socket: '/srv/data/holdfast.sock' },
        log: { level: 'info' },
      },
    )
  })

  test('resolves paths against the folder of its file', () => {
    const { store, rules, api } = config('store: {path: ../db}\nrules: {folder: /rules}\n')
    assert.deepEqual([store.path, rules.folder, api.socket], ['/etc/db', '/rules', '/etc/db/holdfast.sock'])
    assert.equal(config('api: {socket: s.sock}').api.socket, '/etc/holdfast/s.sock')
  })

  test('takes a section whose keys are all commented out for that section with its defaults', () => {
    const { broker, hub, bridges } = config('broker:\n  limits:\nhub:\nbridges:\ntables:\nroutes:\n')
    assert.equal(broker?.limits.connectionsMax, 512)
    assert.deepEqual(hub?.listen, [{ host: '127.0.0.1', port: 1884 }])
    assert.deepEqual(bridges, [])
  })

  test('has a broker unless it is a hub that names none', () => {
    assert.equal(config('hub: {}').broker, undefined)
    assert.ok(config('hub: {}\nbroker: {}').broker)
    assert.ok(config('').broker)
  })

  test('takes devices by name, with labels and patience', () => {
    const { devices } = config('devices: {known: {freezer-1: {labels: {site: lyon}, offline_after: 5m}, pump: {}}}')
    assert.equal(devices.offlineAfterMs, 15 * 60_000)
    assert.deepEqual(
      [...devices.known],
      [
        ['freezer-1', { labels: { site: 'lyon' }, offlineAfterMs: 300_000 }],
        ['pump', { labels: {}, offlineAfterMs: undefined }],
      ],
    )
    assert.match(problems('devices: {known: {a/b: {}}}').join(), /holds "\/", which MQTT keeps for topics/)
    assert.match(problems('devices: {known: {a: {labels: {1x: y}}}}').join(), /not the name of a label/)
    const url = 'mqtt://127.0.0.1:1'
    assert.match(
      problems(`bridges: [{name: c, url: '${url}', subscribe: [devices]}]`).join(),
      /each gateway writes its own "devices": labels come down in the table "device_labels"/,
    )
  })

  test('tells Home Assistant at sources that are there', () => {
    assert.equal(config('').homeAssistant.discovery, 'auto')
    const found = problems('home_assistant: {via: [house]}').join()
    assert.match(found, /"house" is no source of kind mqtt; there are none/)
  })

  test('takes one address or a list, and IPv6', () => {
    const listen = (text: string): unknown => config(`broker: {listen: ${text}}`).broker?.listen
    assert.deepEqual(listen('0.0.0.0:0'), [{ kind: 'mqtt', host: '0.0.0.0', port: 0 }])
    assert.deepEqual(listen('["127.0.0.1:1883", "[::1]:1883", "box.local:9"]'), [
      { kind: 'mqtt', host: '127.0.0.1', port: 1883 },
      { kind: 'mqtt', host: '::1', port: 1883 },
      { kind: 'mqtt', host: 'box.local', port: 9 },
    ])
    for (const wrong of ['1883', 'box', '":1883"', '"a:b:1"', '"x:70000"', '"x:"', '"http://x:1"']) {
      assert.match(problems(`broker: {listen: ${wrong}}`).join(), /host:port/, wrong)
    }
  })

  test('keeps durations and sizes within their limits and asks for units', () => {
    assert.equal(config('store: {commit_interval: 0}').store.commitIntervalMs, 0)
    assert.equal(config('store: {commit_interval: 1s500ms, ballast: 1000000}').store.commitIntervalMs, 1_500)
    assert.match(
      problems('store: {commit_interval: 100}').join(),
      /^1:26 "commit_interval": write a duration with its unit/,
    )
    assert.match(problems('store: {commit_interval: 11s}').join(), /must be 0s to 10s/)
    assert.match(problems('store: {ballast: 1kB}').join(), /must be 1MB to 10GB/)
    assert.match(problems('store: {ballast: lots}').join(), /write a size such as 64MB/)
    assert.match(problems('broker: {limits: {connections: 0}}').join(), /a whole number, 1 to 20000/)
  })

  test('gives routes their adapter and its options, in the order of the file', () => {
    const { routes } = config(`routes:
  - {topic: 'a/{device}/{metric}', adapter: number}
  - {topic: 'b/{device}', values: {t: x.y}, time_format: unix_s}
`)
    assert.deepEqual(routes[0], {
      topic: 'a/{device}/{metric}',
      table: 'readings',
      adapter: 'number',
      outside: undefined,
      options: {},
      metrics: undefined,
    })
    assert.equal(routes[1]?.adapter, 'json')
    assert.deepEqual(routes[1].options['values'], { t: 'x.y' })
  })

  test('takes names that are special to JavaScript for names', () => {
    const { tables, hub } = config(`tables: {constructor: {kind: series}, tostring: {kind: records}}
hub: {gateways: {constructor: {password: a}, toString: {password: b}}}
`)
    assert.equal(tables.get('constructor')?.kind, 'series')
    assert.equal(hub?.gateways?.get('toString')?.password, 'b')
    assert.match(problems('tables: {__proto__: {kind: series}}').join(), /^1:10 the key "__proto__"/)
    assert.match(
      problems('routes: [{topic: "x/{device}/{metric}", table: constructor}]').join(),
      /no table "constructor"/,
    )
    assert.match(problems('hub: {accept: [valueOf]}').join(), /^1:16/)
  })

  test('takes no id, table or address that is not one', () => {
    assert.match(problems('gateway: {id: "a b"}').join(), /letters, digits, _ or -/)
    assert.match(problems('gateway: {id: 7}').join(), /put it in quotes/)
    assert.match(problems('tables: {Foo: {kind: series}}').join(), /^1:10 "Foo": a table name begins/)
    assert.equal(config('', { hostName: '' }).gateway.id, 'gateway')
    assert.match(problems(`api: {socket: ${'x'.repeat(120)}}`).join(), /^1:15 .*too long for a socket/)
    assert.match(problems(`store: {path: ${'x'.repeat(120)}}`).join(), /^1:15 .*too long for a socket/)
  })

  test('tells mistakes of single keys and of their sum at once', () => {
    assert.deepEqual(
      problems('stroe: {}\nroutes: [{topic: "x/{device}", adapter: number, table: nope}]\nlog: {level: loud}\n'),
      [
        '1:1 unknown key "stroe"; did you mean "store"?',
        '2:18 nothing names the metric of its readings: write {metric} for a level of the topic',
        '2:56 there is no table "nope": name it under "tables"',
        '3:14 "level": must be debug, info, warn, error or silent',
      ],
    )
  })
})

describe('routes', () => {
  const route = (keys: string, more = ''): string => problems(`${more}\nroutes:\n  - {${keys}}\n`).join('\n')

  test('go to a series table that exists', () => {
    assert.equal(
      route(`topic: 'a/{device}/{metric}', table: reading`),
      '3:43 there is no table "reading"; did you mean "readings"?',
    )
    assert.match(
      route(`topic: 'a/{device}/{metric}', table: alerts`),
      /"alerts" is a records table; readings need a series table/,
    )
  })

  test('name the device and the metric, in the topic or from the payload', () => {
    assert.match(
      route(`topic: 'a/{devic}/{metric}'`),
      /nothing names the device .*did you mean \{device\} for \{devic\}\?/,
    )
    assert.match(
      route(`topic: 'a/{device}'`),
      /write \{metric\} for a level of the topic, or set fields.metric, or set values/,
    )
    assert.doesNotMatch(route(`topic: 'a/{device}', adapter: number`), /values/)
    config(`routes: [{topic: a, fields: {device: d, metric: m}}, {topic: b, fields: {device: d}, values: {t: x}}]`)
  })

  test('have a topic that can be read, keys of their adapter, and are reached', () => {
    assert.match(route(`topic: 'a/{device'`), /^3:13 "topic": .*must fill its level/)
    assert.match(route(`adapter: number`), /the key "topic" is missing/)
    assert.match(route(`topic: 'a/{device}/{metric}', adapter: numbre`), /must be json, .*; did you mean "number"\?/)
    assert.match(
      route(`topic: 'a/{device}/{metric}', adapter: number, fields: {}`),
      /unknown key "fields"; known keys: topic, table, metrics, adapter/,
    )
    assert.match(route(`topic: 'a/{device}/{metric}', fields: {valeu: x}`), /unknown key "valeu"; did you mean "value"/)
    assert.match(route(`topic: 'a/{device}', values: {}`), /name at least one metric/)
    assert.match(route(`topic: 'a/{device}', values: {t: a..b}`), /keys joined by dots/)
    const twice = `{topic: 'a/{device}/{metric}'}`
    assert.match(problems(`routes: [${twice}, ${twice}]`).join(), /never reached: route 1 has this topic already/)
  })
})

describe('tables', () => {
  test('that are built in keep their kind', () => {
    config('tables: {alerts: {kind: records}, readings: {kind: series}}')
    assert.deepEqual(problems('tables: {alerts: {kind: series}}'), [
      '1:25 "alerts" is built in and always of kind records',
    ])
    assert.match(problems('tables: {x: {}}').join(), /the key "kind" is missing/)
  })
})

const wholeStream = {
  start: 'beginning',
  where: undefined,
  columns: undefined,
  every: undefined,
  liveFirst: false,
  window: undefined,
  topic: undefined,
  format: 'json',
  payload: undefined,
}

describe('bridges', () => {
  test('know their far side, tables and defaults', () => {
    const [bridge] = config(`bridges:
  - {name: up, url: 'mqtts://Hub.Example', publish: [alerts, {table: readings, start: now}], subscribe: [thresholds]}
`).bridges
    assert.deepEqual(bridge, {
      name: 'up',
      farSide: { url: 'mqtts://hub.example:8883', host: 'hub.example', port: 8883, tls: true },
      target: 'hub',
      mqttVersion: 'auto',
      username: undefined,
      password: undefined,
      passwordFile: undefined,
      tls: undefined,
      publish: [
        { ...wholeStream, table: 'alerts' },
        { ...wholeStream, table: 'readings', start: 'now' },
      ],
      subscribe: ['thresholds'],
      keepaliveMs: 30_000,
      frameBytesMax: 65_536,
      rateBytes: undefined,
      dailyBytes: undefined,
    })
  })

  test('say for each stream what goes up, when, and in which form', () => {
    const [bridge] = config(`gateway: {id: gw}
bridges:
  - name: up
    url: mqtts://h
    mqtt: 5
    rate: 100kB
    daily_bytes: 50MB
    tls: {cert: certs/gw.pem, key: /certs/gw.key}
    publish:
      - {table: alerts, start: 2026-11-01}
      - table: readings
        where: value > 3
        every: {period: 10m, keep: [avg, count]}
        live_first: true
        window: 22:00-02:30
      - {table: rejects, columns: [topic], window: {open: 0 3 * * 1, for: 2h, zone: Europe/Berlin}}
`).bridges
    assert.equal(bridge?.mqttVersion, '5')
    assert.deepEqual([bridge.rateBytes, bridge.dailyBytes], [100_000, 50_000_000])
    assert.deepEqual(bridge.tls, {
      ca: undefined,
      cert: '/etc/holdfast/certs/gw.pem',
      key: '/certs/gw.key',
      serverName: undefined,
    })
    assert.deepEqual(bridge.publish, [
      { ...wholeStream, table: 'alerts', start: Date.UTC(2026, 10, 1) },
      {
        ...wholeStream,
        table: 'readings',
        where: 'value > 3',
        every: { periodMs: 600_000, keep: ['avg', 'count'], log: 'readings.every-10m.up' },
        liveFirst: true,
        window: { open: '0 22 * * *', forMs: 4.5 * 3_600_000, zone: 'UTC' },
      },
      {
        ...wholeStream,
        table: 'rejects',
        columns: ['topic'],
        window: { open: '0 3 * * 1', forMs: 7_200_000, zone: 'Europe/Berlin' },
      },
    ])
    const publish = (keys: string): string =>
      problems(`bridges: [{name: a, url: 'mqtt://h', publish: [{table: alerts, ${keys}}]}]`).join()
    assert.match(publish('start: yesterday'), /write beginning, now, or a time/)
    assert.match(publish('start: "2026-11-01T00:00:00"'), /write beginning, now, or a time/)
    assert.match(publish('window: 25:00-26:00'), /write hours such as 02:00-04:00/)
    assert.match(publish('wehre: x'), /did you mean "where"/)
    assert.match(
      publish('window: {open: "61 2 * * *", for: 1h}'),
      /^1:79 .*"61 2 \* \* \*" is no cron expression: minute/,
    )
    assert.match(publish('window: {open: 0 2 * * *, for: 1h, zone: Berlin}'), /^1:105 .*"Berlin" is no time zone/)
  })

  test('refuse tables that do not exist, names and streams that exist twice', () => {
    const bridges = (...items: string[]): string[] =>
      problems(`bridges:\n${items.map(item => `  - {${item}}\n`).join('')}`)
    assert.match(
      bridges(`name: a, url: 'mqtt://h', publish: [alert]`).join(),
      /^2:42 there is no table "alert"; did you mean "alerts"/,
    )
    assert.match(bridges(`name: a, url: 'mqtt://h', subscribe: [nope]`).join(), /there is no table "nope"/)
    assert.deepEqual(bridges(`name: a, url: 'mqtt://h'`, `name: a, url: 'mqtt://i'`), [
      '3:12 there is a bridge "a" already',
    ])
    assert.match(
      bridges(
        `name: a, url: 'mqtt://h', subscribe: [thresholds]`,
        `name: b, url: 'mqtt://H:1883/', subscribe: [thresholds]`,
      ).join(),
      /^3:50 bridge "a" has this stream already/,
    )
    assert.match(
      bridges(`name: a, url: 'mqtt://h', publish: [alerts, alerts]`).join(),
      /bridge "a" has this stream already/,
    )
    config(`bridges:
  - {name: a, url: 'mqtt://h', publish: [alerts], subscribe: [alerts]}
  - {name: b, url: 'mqtt://h:1999', publish: [alerts]}
`)
  })

  test('refuse addresses that are none, or that hold a password', () => {
    const url = (text: string): string => problems(`bridges: [{name: a, url: '${text}'}]`).join()
    for (const wrong of ['h:1883', 'http://h', 'mqtt://', 'mqtt://h/path', 'mqtt://h?x', 'mqtt://h:99999', 'ws://h']) {
      assert.match(url(wrong), /write mqtt:\/\/host:port/, wrong)
    }
    assert.match(url('mqtt://me:secret-word@h'), /"username" and "password_file" are keys of their own/)
    assert.doesNotMatch(url('mqtt://me:secret-word@h'), /secret-word/)
  })

  test('take their password from a file, and the id of the gateway as their user', () => {
    const [bridge] = config(`gateway: {id: g1}\nbridges: [{name: a, url: 'mqtt://h', password_file: p}]`).bridges
    assert.deepEqual([bridge?.username, bridge?.password], ['g1', 'from the file'])
    assert.equal(config(`bridges: [{name: a, url: 'mqtt://h', username: u, password: p}]`).bridges[0]?.username, 'u')
    assert.match(
      problems(`bridges: [{name: a, url: 'mqtt://h', password: p, password_file: p}]`).join(),
      /exclude each other/,
    )
  })
})

describe('a hub', () => {
  test('is open to this machine alone until its gateways are named', () => {
    assert.match(
      problems('hub: {listen: "0.0.0.0:1884"}').join(),
      /^1:15 without hub.gateways the hub may listen on this machine alone/,
    )
    config('hub: {listen: ["127.0.0.1:1884", "[::1]:1884", "localhost:1885"]}')
    const { hub } = config('hub: {listen: "0.0.0.0:1884", gateways: {g1: {password_file: p}}, accept: [alerts]}')
    assert.equal(hub?.gateways?.get('g1')?.password, 'from the file')
    assert.deepEqual([hub.accept, hub.offer], [new Set(['alerts']), 'all'])
  })

  test('wants a password for each gateway, and tables that exist', () => {
    assert.deepEqual(problems('hub: {gateways: {g1: {}}}'), [
      '1:18 gateway "g1" needs a password: set password_file or password',
    ])
    assert.match(problems('hub: {gateways: {"a b": {password: x}}}').join(), /letters, digits/)
    assert.match(problems('hub: {offer: [threshold]}').join(), /did you mean "thresholds"/)
    for (const text of [
      'hub: {offer: [parked]}',
      'hub: {accept: [parked]}',
      "bridges: [{name: a, url: 'mqtt://h', publish: [parked]}]",
      "bridges: [{name: a, url: 'mqtt://h', subscribe: [parked]}]",
    ]) {
      assert.match(problems(`gateway: {id: g1}\n${text}`).join(), /"parked" stays where it is/)
    }
  })

  test('is the same origin as the gateway in its store', () => {
    assert.equal(config('hub: {id: h}').gateway.id, 'h')
    assert.equal(config('gateway: {id: g}\nhub: {}').hub?.id, 'g')
    assert.match(problems('gateway: {id: g}\nhub: {id: h}').join(), /^2:11 differs from gateway.id "g"/)
  })
})

test('no two listeners take one address', () => {
  const listen = (broker: string, hub: string): string =>
    problems(`broker: {listen: ${broker}}\nhub: {listen: ${hub}}\n`).join()
  assert.match(listen('"127.0.0.1:1884"', '"127.0.0.1:1884"'), /^2:15 127.0.0.1:1884 is taken by broker.listen/)
  assert.match(listen('"0.0.0.0:1884"', '"127.0.0.1:1884"'), /taken by broker.listen \(0.0.0.0:1884\)/)
  assert.match(problems('broker: {listen: ["a:1", "a:1"]}').join(), /^1:26 a:1 is taken/)
  config('broker: {listen: ["127.0.0.1:0", "127.0.0.1:0"]}')
})

describe('the environment', () => {
  test('wins over the file', () => {
    const environment = {
      HOLDFAST_STORE__PATH: '/data',
      HOLDFAST_BROKER__LISTEN: '0.0.0.0:1883',
      HOLDFAST_BROKER__LIMITS__CONNECTIONS: '7',
      HOLDFAST_GATEWAY__ID: '42',
      PATH: '/bin',
    }
    const { store, broker, gateway } = config('store: {path: x, commit_interval: 1s}\nbroker: {listen: 5}', {
      environment,
    })
    assert.deepEqual([store.path, store.commitIntervalMs], ['/data', 1_000])
    assert.deepEqual(broker?.listen, [{ kind: 'mqtt', host: '0.0.0.0', port: 1883 }])
    assert.deepEqual([broker.limits.connectionsMax, gateway.id], [7, '42'])
  })

  test('is checked like the file, by the name of the variable, and together with it', () => {
    const environment = {
      HOLDFAST_STORE__PTH: 'x',
      HOLDFAST_LOG__LEVEL: 'loud',
      HOLDFAST_BROKER__LIMITS__SESSIONS: '-1',
      HOLDFAST_TABLES: 'x',
    }
    assert.deepEqual(problems('stor: {}', { environment }), [
      'HOLDFAST_STORE__PTH: there is no key for this variable; did you mean HOLDFAST_STORE__PATH?',
      'HOLDFAST_LOG__LEVEL: must be debug, info, warn, error or silent',
      'HOLDFAST_BROKER__LIMITS__SESSIONS: must be a whole number, 0 to 20000',
      'HOLDFAST_TABLES: there is no key for this variable',
      '1:1 unknown key "stor"; did you mean "store"?',
    ])
  })

  test('stops a file that is right by itself', () => {
    const environment = { HOLDFAST_STOR: 'x' }
    assert.match(problems('', { environment }).join(), /^HOLDFAST_STOR: there is no key/)
  })

  test('leaves a file that is no map to its own error', () => {
    assert.match(
      problems('- a', { environment: { HOLDFAST_STORE__PATH: 'x' } }).join(),
      /expected keys with values, not a list/,
    )
    assert.match(
      problems('store: 5', { environment: { HOLDFAST_STORE__PATH: 'x' } }).join(),
      /"store": expected keys with values/,
    )
  })
})

describe('password files', () => {
  const text = `bridges: [{name: a, url: 'mqtt://h', password_file: secret}]`

  test('are read if their owner alone may read them, and refused with a sentence otherwise', () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-config-'))
    try {
      const file = join(folder, 'secret')
      const load = (): ReturnType<typeof loadConfig> =>
        loadConfig(join(folder, 'c.yaml'), text, { ...systemDoors(), environment: {} })
      const wrong = (): string => {
        const loaded = load()
        assert.ok(!loaded.ok)
        return loaded.problems.map(({ line, column, message }) => `${line}:${column} ${message}`).join()
      }
      assert.equal(wrong(), `1:53 ${file} does not exist`)
      writeFileSync(file, 'pass word \n', { mode: 0o600 })
      const loaded = load()
      assert.ok(loaded.ok)
      assert.equal(loaded.config.bridges[0]?.password, 'pass word ')
      for (const mode of [0o644, 0o640, 0o604]) {
        chmodSync(file, mode)
        assert.equal(wrong(), `1:53 ${file} may be read by others (mode 0${mode.toString(8)}): chmod 600 ${file}`)
      }
      chmodSync(file, 0o600)
      writeFileSync(file, '\n')
      assert.equal(wrong(), `1:53 ${file} is empty`)
      writeFileSync(file, 'x'.repeat(5_000))
      assert.equal(wrong(), `1:53 ${file} is larger than 4096 bytes`)
      rmSync(file)
      mkdirSync(file)
      assert.equal(wrong(), `1:53 ${file} is not a file`)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('that cannot be read are told together with all else', () => {
    const readSecret = (): never => {
      throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' })
    }
    assert.deepEqual(problems(`${text}\nlgo: {}`, { readSecret }), [
      '1:53 /etc/secret may not be read by this user',
      '2:1 unknown key "lgo"; did you mean "log"?',
    ])
  })
})
