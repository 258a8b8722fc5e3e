import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GatewayStatus } from '../../runtime/api/status.ts'
import { concernsOf } from '../../runtime/commands/concerns.ts'
import { statusPage } from '../../runtime/commands/status-page.ts'
import type { Terminal } from '../../runtime/commands/terminal.ts'

const pipe: Terminal = { paint: (_, text) => text, cellMax: Number.POSITIVE_INFINITY, isTerminal: false }
/** How the page tells of one source. */
const sourced = (source: NonNullable<GatewayStatus['sources']>[number]) => ({ ...status, sources: [source] })

const marked: Terminal = { ...pipe, paint: (style, text) => (style === 'dim' ? text : `<${style} ${text}>`) }

const startedMs = 1_700_000_000_000
const status: GatewayStatus = {
  gateway: { id: 'gw-1', version: '0.1.0', started_ms: startedMs, uptime_ms: 3_723_000 },
  store: {
    state: 'full',
    reason: 'the disk is nearly full',
    epoch: 'e',
    commits: 10,
    readings: 12_345,
    duplicates: 2,
    failures: 0,
    repairs: 0,
    damaged_values: 0,
    bytes_written: 1_234_567,
    tables: [
      {
        name: 'readings.every-1m.cloud',
        kind: 'series',
        first: 1,
        head: 30,
        series: 160,
        log_bytes: 2_000,
        summaries: { of: 'readings', behind: 12, open_periods: 40, undecided: 0, left_out: 0 },
      },
      {
        name: 'readings',
        kind: 'series',
        first: 1,
        head: 12_345,
        series: 40,
        rows: 12_300,
        bytes: 240_000_000,
        log_bytes: 1_000,
        max_rows: 1_000_000,
        max_bytes: 2_000_000_000,
        max_age_ms: 30 * 86_400_000,
      },
      {
        name: 'alerts',
        kind: 'records',
        first: 1,
        head: 7,
        series: 0,
        log_bytes: 900,
        max_bytes: null,
        max_age_ms: null,
      },
    ],
  },
  broker: { listen: ['127.0.0.1:1883'], clients: 1, counters: { taken: 12_400, refused: 0 } },
  ingest: { publishes: 12_400, readings: 12_345, duplicates: 2, rejects: 3 },
  rules: { files: 2, rules: 1, problems: ['rules/a.yaml:3:5: unknown key "fro"'], firing: 1, pending: 0 },
  notifications: {
    announced: 7,
    repeated: 2,
    groups: 0,
    suppressed: 3,
    silences: 1,
    actions: {
      done: 12,
      failed: 6,
      given_up: 1,
      waiting: 0,
      last_failure: { alert: 'gw-1/Warm/a/t/1', reason: 'its topic is empty', at_ms: startedMs },
    },
  },
  bridges: [
    {
      name: 'cloud',
      url: 'mqtts://hub:8883',
      state: 'offline',
      connected_since_ms: null,
      reason: 'connection refused',
      streams: [
        {
          table: 'readings',
          direction: 'send',
          behind: 1_200,
          oldest_unsent_ms: 95_000,
          confirmed: 11_145,
          sent_bytes: 44_000,
          state: 'stalled',
          parked: 0,
        },
      ],
    },
  ],
  hub: {
    id: 'hq',
    listen: ['0.0.0.0:1884'],
    gateways: [
      { id: 'gw-7', connected: true, last_contact_ms: startedMs + 3_720_000, streams: [] },
      { id: 'gw-8', connected: false, last_contact_ms: null, streams: [] },
    ],
  },
}

test('the page of a gateway tells each room, and what is wrong there', () => {
  assert.equal(
    statusPage(status, pipe),
    `7 things need you:
  the disk is nearly full: new readings are refused
  1 alert is firing: holdfast alerts
  bridge cloud is offline: connection refused; 1,200 entries wait, the oldest for 1m35s
  bridge cloud, readings going out: connected, but nothing is confirmed; 1,200 entries wait, the oldest for 1m35s
  the rule files have faults; the rules read before stay in force
  1 action of rules could not be done: its topic is empty (gw-1/Warm/a/t/1)
  gateway gw-8 was not heard of yet

gateway  gw-1, up 1h2m, version 0.1.0
store    full, 12,345 readings stored, 1.2 MB written
         the disk is nearly full
broker   1 client, listens on 127.0.0.1:1883
         taken 12,400
ingest   12,400 publishes, 12,345 readings, 2 sent again, 3 rejected (see the table rejects)
rules    1 rule in 2 files, 1 firing, 0 pending
         rules/a.yaml:3:5: unknown key "fro"
alerts   7 told, 1 silence in force, 3 held back, 12 actions done, 1 given up

TABLE                    KIND       FIRST    HEAD  SERIES  READINGS    SIZE  LIMIT
readings                 series         1  12,345      40    12,300  240 MB  2 GB, 30d, 1,000,000 rows
alerts                   records        1       7       -         -   900 B  -
readings.every-1m.cloud  summaries      1      30     160         -    2 kB  -
         readings.every-1m.cloud: summaries of readings for a stream, 12 readings behind, 40 periods open

bridge   cloud, mqtts://hub:8883, offline
         connection refused
TABLE     DIRECTION  BEHIND  OLDEST  CONFIRMED  BYTES  PARKED  GAPS  STATE
readings  send        1,200   1m35s     11,145  44 kB       0     0  stalled

hub      hq, 2 gateways, listens on 0.0.0.0:1884
GATEWAY  CONNECTED  LAST CONTACT  TABLE  DIRECTION  BEHIND  OLDEST  CONFIRMED  BYTES  PARKED  GAPS  STATE
gw-7     yes                  3s  -      -               -       -          -      -       -     -  -
gw-8     no                    -  -      -               -       -          -      -       -     -  -
`,
  )
})

test('alerts that are silenced, latched, or have no room are told as such', () => {
  const rules = {
    files: 1,
    rules: 2,
    problems: [],
    firing: 10_000,
    pending: 7,
    latched: 1,
    silenced: 3,
    refused: 2,
    active_max: 10_000,
    evaluations: 1_234_567,
    raised: 10_020,
    resolved: 20,
    recorded: 0,
    unrecorded: 4,
    late: 5,
  }
  const page = statusPage({ gateway: { id: 'gw-1' }, rules }, pipe)
  assert.equal(
    page,
    `4 things need you:
  10,000 alerts are firing (3 silenced): holdfast alerts
  2 more alerts would fire, but 10,000 do already (alerts.active_max)
  4 readings of recording rules could not be stored: the disk is full, or a table is
  1 alert is over and waits to be acknowledged: holdfast alerts

gateway  gw-1
rules    2 rules in 1 file, 10,000 firing, 7 pending, 1 latched, 3 silenced, 2 without room
         1,234,567 evaluations, 10,020 raised, 20 resolved, 5 late
`,
  )
})

test('only what is known to be well is green [I9]', () => {
  const page = statusPage(status, marked)
  assert.match(page, /<red full>/)
  assert.match(page, /<red stalled>/)
  assert.match(page, /<yellow offline>/)
  const odd = { ...status, store: { ...status.store, state: 'dreaming' as 'open' } }
  assert.match(statusPage(odd, marked), /<yellow dreaming>/)
})

test('a gateway that tells less is drawn with what it tells, and unknown sections are left out', () => {
  assert.equal(statusPage({}, pipe), '')
  const newer = { gateway: status.gateway, weather: { sunny: true } }
  assert.equal(statusPage(newer, pipe), 'All is well.\n\ngateway  gw-1, up 1h2m, version 0.1.0\n')
})

test('what is wrong comes first, the worst before the rest, with what to look at', () => {
  const stream = {
    table: 'readings',
    direction: 'send',
    behind: 0,
    oldest_unsent_ms: null,
    confirmed: 7,
    sent_bytes: 0,
    state: 'idle',
    parked: 2,
    gaps: 1_500,
    gap_reason: 'max_age',
  } as const
  const bridge = {
    name: 'cloud',
    url: 'mqtts://hub:8883',
    state: 'talking',
    connected_since_ms: startedMs,
    warnings: ['our certificate expires in 3 days'],
    streams: [stream],
  }
  const gateway = { id: 'gw-9', connected: false, last_contact_ms: startedMs, streams: [] }
  const hub = {
    id: 'hq',
    listen: [],
    gateways: [gateway, { ...gateway, id: 'gw-10', last_contact_ms: startedMs + 3_720_000 }],
  }
  const concerns = concernsOf({ gateway: status.gateway, bridges: [bridge], hub })
  assert.deepEqual(concerns, [
    {
      level: 'red',
      text: 'bridge cloud, readings going out: 1,500 entries will never arrive: max_age (holdfast query gaps)',
    },
    { level: 'yellow', text: 'bridge cloud: our certificate expires in 3 days' },
    { level: 'yellow', text: 'bridge cloud, readings going out: 2 rows put aside (holdfast parked)' },
    { level: 'yellow', text: 'gateway gw-9 was not heard of for 1h2m' },
  ])
  assert.deepEqual(concernsOf({ gateway: status.gateway, bridges: [{ ...bridge, warnings: [], streams: [] }] }), [])
})

test('a hub behind a broker says which, and that it does not reach it', () => {
  const broker = { url: 'mqtts://between:8883', connected: false, reason: 'nobody listens there' }
  const hub = { id: 'hq', listen: [], broker, gateways: [] }
  const told = { gateway: status.gateway, hub }
  assert.match(statusPage(told, pipe), /hub +hq, 0 gateways, through mqtts:\/\/between:8883/)
  assert.deepEqual(concernsOf(told), [
    {
      level: 'red',
      text: 'the hub does not reach its broker mqtts://between:8883: nobody listens there: no gateway reaches the hub',
    },
  ])
  assert.deepEqual(concernsOf({ ...told, hub: { ...hub, broker: { ...broker, connected: true } } }), [])
})

test('a bridge says how it is connected, what is left of its budget, and what its streams wait for', () => {
  const stream = {
    table: 'readings',
    direction: 'send',
    behind: 40,
    oldest_unsent_ms: 60_000,
    confirmed: 7,
    sent_bytes: 0,
    state: 'waiting',
    parked: 0,
    reason: 'its window is closed',
    goes_on_ms: startedMs + 3_723_000 + 3_600_000,
  } as const
  const bridge = {
    name: 'cloud',
    url: 'mqtts://hub:8883',
    state: 'talking',
    connected_since_ms: startedMs + 3_663_000,
    mqtt_version: '5',
    warnings: ['holdfast/v1/gw/up/entries/alerts: not authorized'],
    daily_bytes: { bytes: 50_000_000, left: 12_000_000, renews_ms: startedMs + 3_723_000 + 7_200_000 },
    streams: [stream],
  }
  const away = { name: 'b', url: 'mqtt://b:1883', state: 'offline', connected_since_ms: null, mqtt_version: '3.1.1' }
  const next_attempt_ms = startedMs + 3_723_000 + 12_000
  const page = statusPage(
    { gateway: status.gateway, bridges: [bridge, { ...away, next_attempt_ms, streams: [] }] },
    pipe,
  )
  assert.match(
    page,
    /bridge   cloud, mqtts:\/\/hub:8883, talking, connected for 1m0s, MQTT 5, 12 MB of 50 MB left today, whole again in 2h0m\n {9}holdfast\/v1\/gw\/up\/entries\/alerts: not authorized\n/,
  )
  assert.match(page, /waiting\n {9}readings waits: its window is closed; goes on in 1h0m\n/)
  assert.match(page, /bridge   b, mqtt:\/\/b:1883, offline, tries again in 12s, MQTT 3\.1\.1\n/)
  assert.match(page, /bridge cloud: holdfast\/v1\/gw\/up\/entries\/alerts: not authorized/)
})

test('what a log dropped at its limit is said once: by the stream that it was for, or by the table', () => {
  const readings = { name: 'readings', lost: 1_500, lost_reason: 'max_bytes' }
  const told = { gateway: status.gateway, store: { tables: [readings] } }
  const text =
    'readings: 1,500 readings dropped at the limit of the log: max_bytes: before everybody had them (holdfast query gaps)'
  assert.deepEqual(concernsOf(told), [{ level: 'red', text }])
  assert.match(statusPage(told, pipe), / {9}readings: 1,500 readings dropped at max_bytes before everybody had them\n/)
  const stream = { table: 'readings', direction: 'send', state: 'idle', gaps: 1_500, gap_reason: 'max_bytes' } as const
  const concerns = concernsOf({ ...told, bridges: [{ name: 'cloud', state: 'talking', streams: [stream] }] })
  assert.equal(concerns.length, 1)
  assert.match(concerns[0]?.text ?? '', /^bridge cloud, readings going out: 1,500 entries will never arrive/)
})

test('a clock that is not trusted says what to do about it', () => {
  const clock = { state: 'untrusted', source: null, reason: 'no time service', hint: 'enable one' } as const
  assert.deepEqual(concernsOf({ gateway: status.gateway, clock }), [
    {
      level: 'yellow',
      text: 'the clock of this gateway is not trusted: no time service; readings are marked (?) until their time can be corrected. To do: enable one',
    },
  ])
})

test('the certificate of a hub is its own warning', () => {
  const hub = { id: 'hq', listen: ['0.0.0.0:8883'], warnings: ['our certificate expires in 3 days'], gateways: [] }
  const told = { gateway: status.gateway, hub }
  assert.deepEqual(concernsOf(told), [{ level: 'yellow', text: 'the hub: our certificate expires in 3 days' }])
  assert.match(statusPage(told, pipe), /listens on 0\.0\.0\.0:8883\n {9}our certificate expires in 3 days\n/)
})

test('what limits and a short disk have taken is told, and what must stay free', () => {
  const bounds = {
    pressure: 'thin',
    free_bytes: 1_500_000_000,
    disk_bytes: 32_000_000_000,
    floor_bytes: 1_600_000_000,
    thinned_bytes: 48_000_000,
    dropped_bytes: 0,
    compaction: {
      why: 'disk',
      at_ms: startedMs + 3_663_000,
      before_bytes: 9_000_000_000,
      after_bytes: 8_900_000_000,
      duration_ms: 2_500,
    },
  } as const
  const [readings, ...others] = status.store.tables.filter(({ name }) => name === 'readings')
  assert.ok(readings && others.length === 0)
  const tables = [{ ...readings, dropped: 40_000, thinned: 12_000, forgotten: 0, held: 2 }]
  const page = statusPage({ ...status, bounds, store: { ...status.store, tables } }, pipe)
  assert.match(page, / {2}the disk is below store\.min_free: the oldest readings make room\n/)
  assert.match(page, / {9}1\.6 GB must stay free, below it: the oldest readings are thinned, 48 MB thinned out\n/)
  assert.match(page, / {9}compacted 1m0s ago: from 9 GB to 8\.9 GB in 2s500ms\n/)
  assert.match(page, / {9}readings: 40,000 dropped, 12,000 thinned out, 2 too old and kept: .* since the start\n/)
  const spent = concernsOf({ ...status, bounds: { ...bounds, pressure: 'refuse' } })
  assert.ok(spent.some(({ level, text }) => level === 'red' && text.includes('nothing is left to be dropped')))
})

test('a source is told with where it is from, since when, and what it brought; one that brings nothing stands on top', () => {
  const source = {
    name: 'plant',
    kind: 'mqtt',
    from: 'mqtt://10.0.0.5:1883',
    state: 'connected',
    since_ms: startedMs + 3_663_000,
    next_attempt_ms: null,
    mqtt_version: '5',
    unanswered: 3,
    warnings: [],
    counters: { messages: 1_200, repeats: 0, unrouted: 7 },
  } as const
  const page = statusPage(sourced(source), pipe)
  assert.match(
    page,
    /^source {3}plant, mqtt mqtt:\/\/10\.0\.0\.5:1883, connected, for 1m0s, MQTT 5, 3 under way, 1,200 messages, 7 that no route takes$/m,
  )
  const lost = { ...source, state: 'offline', reason: 'nothing listens there', since_ms: null } as const
  assert.deepEqual(
    concernsOf(sourced(lost)).filter(({ text }) => text.startsWith('source')),
    [{ level: 'red', text: 'source plant brings nothing: nothing listens there' }],
  )
})
