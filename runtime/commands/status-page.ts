/**
 * The page of `holdfast status`, for a person who is tired: what is wrong stands out, what is well is one line.
 * Pure. A gateway of another version may tell less or more: what is missing is left out, what is unknown is not drawn.
 */
import type {
  BridgeSection,
  GatewayStatus,
  HubSection,
  RollupSection,
  StreamSection,
  TableSection,
} from '../api/status.ts'
import type { SourceSection } from '../api/sources.ts'
import { formatSize } from '../units.ts'
import { concernsOf, nowOf, type Told } from './concerns.ts'
import { sourceTexts } from './status-sources.ts'
import { boundsTexts, diskTexts } from './status-disk.ts'
import { age, type Cell, grouped, printable, table, type Terminal } from './terminal.ts'

type Gateway = Told<GatewayStatus>['gateway']

export function statusPage(status: Told<GatewayStatus>, terminal: Terminal): string {
  const { store, bridges = [], hub } = status
  const nowMs = nowOf(status)
  const sections = [
    verdict(status, terminal),
    overview(status, terminal),
    tables(store?.tables ?? [], terminal),
    (status.sources ?? []).map(source => sourcePart(source, nowMs, terminal)).join(''),
    ...bridges.map(bridge => bridgePart(bridge, nowMs, terminal)),
    hub ? hubPart(hub, nowMs, terminal) : '',
  ]
  return sections.filter(section => section !== '').join('\n')
}

/** First what a tired person came for: is anything wrong, and what. */
function verdict(status: Told<GatewayStatus>, terminal: Terminal): string {
  if (status.gateway === undefined) return ''
  const concerns = concernsOf(status)
  if (concerns.length === 0) return `${terminal.paint('green', 'All is well.')}\n`
  const title = concerns.length === 1 ? 'One thing needs you:' : `${concerns.length} things need you:`
  const lines = concerns.map(({ level, text }) => `  ${terminal.paint(level, shown(text))}`)
  return [terminal.paint('bold', title), ...lines].map(text => `${text}\n`).join('')
}

/** One line for each room, and below it what is wrong there. */
function overview(status: Told<GatewayStatus>, terminal: Terminal): string {
  const { gateway, clock, store, disk, bounds, broker, ingest, devices, rules, notifications } = status
  const lines = [
    ...(gateway ? [gatewayLine(gateway, terminal)] : []),
    ...(clock ? [clockLine(clock, terminal)] : []),
    ...(store ? [storeLine(store, terminal), ...faults([store.reason], terminal)] : []),
    ...(disk ? diskTexts(disk).map((text, index) => line(index === 0 ? 'disk' : '', text)) : []),
    ...(bounds ? boundsTexts(bounds, nowOf(status)).map(text => line('', text)) : []),
    ...(broker ? [brokerLine(broker), ...faults(broker.warnings ?? [], terminal), ...brokerCounts(broker)] : []),
    ...(ingest ? [ingestLine(ingest, terminal)] : []),
    ...(devices ? [devicesLine(devices, terminal)] : []),
    ...(rules ? [rulesLine(rules, terminal), ...rulesCounts(rules), ...faults(rules.problems ?? [], terminal)] : []),
    ...(notifications ? [notificationsLine(notifications, terminal)] : []),
  ]
  return lines.map(text => `${text}\n`).join('')
}

function gatewayLine({ id, uptime_ms, version }: NonNullable<Gateway>, terminal: Terminal): string {
  const up = uptime_ms === undefined ? '' : `up ${age(uptime_ms)}`
  return line(
    'gateway',
    terminal.paint('bold', shown(id)),
    up,
    version === undefined ? '' : `version ${shown(version)}`,
  )
}

function clockLine(clock: NonNullable<Told<GatewayStatus>['clock']>, terminal: Terminal): string {
  const { state, source, reason, offset_ms: offset = 0 } = clock
  const by = source === null || source === undefined ? '' : `by ${shown(source)}`
  const off =
    Math.abs(offset) < 1000 ? '' : `the machine's own is ${age(Math.abs(offset))} ${offset > 0 ? 'behind' : 'ahead'}`
  return line('clock', paintState(state, terminal), by, shown(reason), off)
}

function storeLine(store: NonNullable<Told<GatewayStatus>['store']>, terminal: Terminal): string {
  const { state, readings, bytes_written, repairs = 0, damaged_values: damaged = 0 } = store
  return line(
    'store',
    paintState(state, terminal),
    `${counted(readings, 'reading')} stored`,
    `${size(bytes_written)} written`,
    repairs > 0 ? terminal.paint('yellow', `repaired ${counted(repairs, 'time')}`) : '',
    damaged > 0 ? terminal.paint('red', counted(damaged, 'damaged value')) : '',
  )
}

function brokerLine({ clients, listen = [] }: NonNullable<Told<GatewayStatus>['broker']>): string {
  const where = listen.length > 0 ? `listens on ${listen.map(shown).join(' and ')}` : ''
  return line('broker', counted(clients, 'client'), where)
}

function brokerCounts({ counters = {} }: NonNullable<Told<GatewayStatus>['broker']>): string[] {
  const happened = Object.entries(counters).filter(([, count]) => count !== undefined && count > 0)
  return happened.length === 0 ? [] : [line('', ...happened.map(([name, count]) => `${shown(name)} ${many(count)}`))]
}

function ingestLine(ingest: NonNullable<Told<GatewayStatus>['ingest']>, terminal: Terminal): string {
  const { publishes, readings, duplicates = 0, rejects = 0 } = ingest
  return line(
    'ingest',
    counted(publishes, 'publish', 'publishes'),
    counted(readings, 'reading'),
    duplicates > 0 ? `${many(duplicates)} sent again` : '',
    rejects > 0 ? terminal.paint('yellow', `${many(rejects)} rejected (see the table rejects)`) : '',
  )
}

function devicesLine(devices: NonNullable<Told<GatewayStatus>['devices']>, terminal: Terminal): string {
  const { online = 0, offline = 0 } = devices
  return line(
    'devices',
    `${many(online)} online`,
    offline > 0 ? terminal.paint('yellow', `${many(offline)} offline (see holdfast devices)`) : '0 offline',
  )
}

function rulesLine(rules: NonNullable<Told<GatewayStatus>['rules']>, terminal: Terminal): string {
  const { firing = 0, pending = 0, latched = 0, silenced = 0, refused = 0 } = rules
  return line(
    'rules',
    `${counted(rules.rules, 'rule')} in ${counted(rules.files, 'file')}`,
    firing > 0 ? terminal.paint('red', `${many(firing)} firing`) : '0 firing',
    pending > 0 ? terminal.paint('yellow', `${many(pending)} pending`) : '0 pending',
    latched > 0 ? terminal.paint('yellow', `${many(latched)} latched`) : '',
    silenced > 0 ? terminal.paint('yellow', `${many(silenced)} silenced`) : '',
    refused > 0 ? terminal.paint('red', `${many(refused)} without room`) : '',
  )
}

function rulesCounts(rules: NonNullable<Told<GatewayStatus>['rules']>): string[] {
  const { evaluations = 0, raised = 0, resolved = 0, recorded = 0, late = 0 } = rules
  if (evaluations === 0) return []
  return [
    line(
      '',
      counted(evaluations, 'evaluation'),
      `${many(raised)} raised`,
      `${many(resolved)} resolved`,
      recorded > 0 ? `${many(recorded)} recorded` : '',
      late > 0 ? `${many(late)} late` : '',
    ),
  ]
}

function notificationsLine(
  { announced, suppressed = 0, silences = 0, actions = {} }: NonNullable<Told<GatewayStatus>['notifications']>,
  terminal: Terminal,
): string {
  const { done = 0, waiting = 0, given_up: givenUp = 0 } = actions
  return line(
    'alerts',
    `${many(announced)} told`,
    silences > 0 ? terminal.paint('yellow', `${counted(silences, 'silence')} in force`) : '',
    suppressed > 0 ? `${many(suppressed)} held back` : '',
    done > 0 ? `${counted(done, 'action')} done` : '',
    waiting > 0 ? terminal.paint('yellow', `${many(waiting)} waiting`) : '',
    givenUp > 0 ? terminal.paint('red', `${many(givenUp)} given up`) : '',
  )
}

function tables(all: readonly Told<TableSection>[], terminal: Terminal): string {
  if (all.length === 0) return ''
  // What the gateway keeps for itself stands apart from what a person named.
  const ordered = [...all.filter(one => one.summaries === undefined), ...all.filter(one => one.summaries !== undefined)]
  const rows = ordered.map(one => [
    one.name ?? '-',
    one.summaries === undefined ? (one.kind ?? '-') : 'summaries',
    many(one.first),
    many(one.head),
    one.kind === 'series' ? many(one.series) : '-',
    one.kind === 'series' ? many(one.rows) : '-',
    size(one.bytes ?? one.log_bytes),
    limits(one),
  ])
  const notes = ordered.flatMap(one => tableNotes(one, terminal)).map(note => `${line('', note)}\n`)
  return (
    table(['table', 'kind', '>first', '>head', '>series', '>readings', '>size', 'limit'], rows, terminal) +
    notes.join('')
  )
}

function limits({ max_bytes: bytes, max_age_ms: ageMs, max_rows: rows }: Told<TableSection>): string {
  const all = [
    typeof bytes === 'number' ? formatSize(bytes) : '',
    typeof ageMs === 'number' ? wholeAge(ageMs) : '',
    typeof rows === 'number' ? counted(rows, 'row') : '',
  ]
  return all.filter(text => text !== '').join(', ') || '-'
}

/** `30d` for what `age` calls `30d0h`. */
const wholeAge = (ms: number): string => age(ms).replace(/(?<=[dhm])0[hms]$/, '')

function tableNotes(
  {
    name,
    lost = 0,
    lost_reason: reason,
    summaries,
    rollups = [],
    dropped = 0,
    thinned = 0,
    forgotten = 0,
    held = 0,
  }: Told<TableSection>,
  terminal: Terminal,
): string[] {
  const at = reason === undefined ? 'at its limit' : `at ${shown(reason)}`
  const taken = `${shown(name)}: ${counted(lost, 'reading')} dropped ${at} before everybody had them`
  const gone = [
    dropped > 0 ? `${many(dropped)} dropped` : '',
    thinned > 0 ? `${many(thinned)} thinned out` : '',
    forgotten > 0 ? `${counted(forgotten, 'row')} forgotten` : '',
    held > 0 ? `${many(held)} too old and kept: an alert is open, or a far side has not had them` : '',
  ].filter(text => text !== '')
  return [
    ...(gone.length > 0 ? [`${shown(name)}: ${gone.join(', ')} since the start`] : []),
    ...(rollups.length > 0 ? [`${shown(name)}: rolled up by ${rollups.map(rollupText).join(', ')}`] : []),
    ...(lost > 0 ? [terminal.paint('red', taken)] : []),
    ...(summaries
      ? [
          `${shown(name)}: summaries of ${shown(summaries.of)} for a stream, ${counted(summaries.behind, 'reading')} behind, ${counted(summaries.open_periods, 'period')} open`,
        ]
      : []),
  ]
}

const rollupText = ({ period_ms: ms = 0, behind = 0 }: Told<RollupSection>): string =>
  `${wholeAge(ms)}${behind > 0 ? ` (${counted(behind, 'reading')} behind)` : ''}`

function sourcePart(source: Told<SourceSection>, now: number | undefined, terminal: Terminal): string {
  const { name, kind, from, state, reason, warnings = [] } = source
  const head = line(
    'source',
    terminal.paint('bold', shown(name)),
    `${shown(kind)} ${shown(from)}`,
    paintState(state, terminal),
    ...sourceTexts(source, now).map(printable),
  )
  return [head, ...faults([reason, ...warnings], terminal)].map(text => `${text}\n`).join('')
}

function bridgePart(bridge: Told<BridgeSection>, now: number | undefined, terminal: Terminal): string {
  const { name, url, state, mqtt_version: mqtt, reason, warnings = [], streams = [] } = bridge
  const head = line(
    'bridge',
    terminal.paint('bold', shown(name)),
    shown(url),
    paintState(state, terminal),
    connection(bridge, now),
    mqtt === undefined ? '' : `MQTT ${shown(mqtt)}`,
    allowance(bridge, now),
  )
  const lines = [head, ...faults([reason, ...warnings], terminal)].map(text => `${text}\n`).join('')
  if (streams.length === 0) return lines
  return lines + table(streamTitles, streams.map(streamCells), terminal) + waits(streams, now)
}

function connection(bridge: Told<BridgeSection>, now: number | undefined): string {
  const { connected_since_ms: since, next_attempt_ms: next } = bridge
  if (now === undefined) return ''
  if (typeof since === 'number') return `connected for ${age(now - since)}`
  return typeof next === 'number' ? `tries again in ${age(next - now)}` : ''
}

function allowance({ daily_bytes: daily }: Told<BridgeSection>, now: number | undefined): string {
  if (daily?.bytes === undefined || daily.left === undefined) return ''
  const renews =
    daily.renews_ms === undefined || now === undefined ? '' : `, whole again in ${age(daily.renews_ms - now)}`
  return `${size(daily.left)} of ${size(daily.bytes)} left today${renews}`
}

/** A stream that waits says for what, and when that is over. */
function waits(streams: readonly Told<StreamSection>[], now: number | undefined): string {
  const waiting = streams.filter(({ state, reason }) => state === 'waiting' && reason !== undefined)
  return waiting
    .map(({ table: name, reason, goes_on_ms: goesOn }) => {
      const until = typeof goesOn === 'number' && now !== undefined ? `; goes on in ${age(goesOn - now)}` : ''
      return `${line('', `${shown(name)} waits: ${shown(reason)}${until}`)}\n`
    })
    .join('')
}

function hubPart(
  { id, listen = [], broker, warnings = [], gateways = [] }: Told<HubSection>,
  now: number | undefined,
  terminal: Terminal,
): string {
  const listens = listen.length > 0 ? `listens on ${listen.map(shown).join(' and ')}` : ''
  const where = broker ? `through ${shown(broker.url)}` : listens
  const first = line('hub', terminal.paint('bold', shown(id)), counted(gateways.length, 'gateway'), where)
  const head = [first, ...faults(warnings, terminal)].map(text => `${text}\n`).join('')
  const rows = gateways.flatMap(({ id: name, connected, last_contact_ms: last, streams = [] }) => {
    const contact = typeof last === 'number' && now !== undefined ? age(now - last) : '-'
    const link: Cell = connected ? { text: 'yes', style: 'green' } : { text: 'no', style: 'yellow' }
    const first: readonly Cell[] = [name ?? '-', link, contact]
    if (streams.length === 0) return [[...first, ...streamTitles.map(() => '-')]]
    return streams.map((stream, index) => [...(index === 0 ? first : ['', '', '']), ...streamCells(stream)])
  })
  if (rows.length === 0) return head
  return head + table(['gateway', 'connected', '>last contact', ...streamTitles], rows, terminal)
}

const streamTitles = ['table', 'direction', '>behind', '>oldest', '>confirmed', '>bytes', '>parked', '>gaps', 'state']

function streamCells(stream: Told<StreamSection>): readonly Cell[] {
  const { oldest_unsent_ms: oldest, parked = 0, refused = 0, gaps = 0, state } = stream
  const aside = parked + refused
  return [
    stream.table ?? '-',
    stream.direction ?? '-',
    many(stream.behind),
    typeof oldest === 'number' ? age(oldest) : '-',
    many(stream.confirmed),
    size(stream.sent_bytes),
    aside > 0 ? { text: many(aside), style: 'red' } : '0',
    gaps > 0 ? { text: many(gaps), style: 'red' } : '0',
    { text: state ?? '-', style: styleOf(state) },
  ]
}

function line(label: string, ...parts: readonly string[]): string {
  return `${label.padEnd(8)} ${parts.filter(part => part !== '').join(', ')}`
}

function faults(reasons: readonly (string | undefined)[], terminal: Terminal): string[] {
  const told = reasons.filter(reason => reason !== undefined)
  return told.map(reason => `${' '.repeat(9)}${terminal.paint('red', shown(reason))}`)
}

/** Green is only what is known to be well [I9]; a word that we do not know is not. */
function styleOf(state: string | undefined): 'green' | 'yellow' | 'red' {
  if (['open', 'trusted', 'talking', 'connected', 'idle', 'moving'].includes(state ?? '')) return 'green'
  return ['failed', 'full', 'refused', 'stalled'].includes(state ?? '') ? 'red' : 'yellow'
}

function paintState(state: string | undefined, terminal: Terminal): string {
  return terminal.paint(styleOf(state), shown(state))
}

const shown = (text: string | undefined): string => (text === undefined ? '-' : printable(text))
const many = (count: number | undefined): string => (count === undefined ? '-' : grouped(count))
const size = (bytes: number | undefined): string => (bytes === undefined ? '-' : formatSize(bytes))
const counted = (count: number | undefined, one: string, more = `${one}s`): string =>
  `${many(count)} ${count === 1 ? one : more}`
