/**
 * The page of `holdfast status`, for a person who is tired: what is wrong stands out, what is well is one line.
 * Pure. A gateway of another version may tell less or more: what is missing is left out, what is unknown is not drawn.
 */
import type { BridgeSection, GatewayStatus, HubSection, StreamSection, TableSection } from '../api/status.ts'
import { formatSize } from '../units.ts'
import { age, type Cell, grouped, printable, table, type Terminal } from './terminal.ts'

export function statusPage(status: Partial<GatewayStatus>, terminal: Terminal): string {
  const sections = [
    overview(status, terminal),
    tables(status.store?.tables ?? [], terminal),
    ...(status.bridges ?? []).map(bridge => bridgePart(bridge, status, terminal)),
    status.hub ? hubPart(status.hub, status, terminal) : '',
  ]
  return sections.filter(section => section !== '').join('\n')
}

/** One line for each room, and below it what is wrong there. */
function overview({ gateway, store, broker, ingest, rules }: Partial<GatewayStatus>, terminal: Terminal): string {
  const lines: string[] = []
  const say = (label: string, ...parts: readonly string[]): void =>
    void lines.push(`${label.padEnd(8)} ${parts.filter(part => part !== '').join(', ')}`)
  const warn = (text: string): void => void lines.push(`${' '.repeat(9)}${terminal.paint('red', printable(text))}`)
  if (gateway) {
    const name = terminal.paint('bold', printable(gateway.id))
    say('gateway', name, `up ${age(gateway.uptime_ms)}`, `version ${printable(gateway.version)}`)
  }
  if (store) {
    const state = paintState(store.state, terminal)
    const repairs = store.repairs > 0 ? `repaired ${grouped(store.repairs)} times` : ''
    const damage = store.damaged_values > 0 ? counted(store.damaged_values, 'damaged value') : ''
    const stored = `${counted(store.readings, 'reading')} stored`
    say('store', state, stored, `${formatSize(store.bytes_written)} written`, repairs, damage)
    if (store.reason !== undefined) warn(store.reason)
  }
  if (broker) {
    const listens = broker.listen.length > 0 ? `listens on ${broker.listen.map(printable).join(' and ')}` : ''
    say('broker', counted(broker.clients, 'client'), listens)
    const counters = Object.entries(broker.counters).filter(([, count]) => count > 0)
    if (counters.length > 0) say('', ...counters.map(([name, count]) => `${printable(name)} ${grouped(count)}`))
  }
  if (ingest) {
    const { publishes, readings, duplicates, rejects } = ingest
    const again = duplicates > 0 ? `${grouped(duplicates)} sent again` : ''
    const bad = rejects > 0 ? terminal.paint('yellow', `${grouped(rejects)} rejected (see the table rejects)`) : ''
    say('ingest', counted(publishes, 'publish', 'publishes'), counted(readings, 'reading'), again, bad)
  }
  if (rules) {
    const firing = rules.firing > 0 ? terminal.paint('red', `${grouped(rules.firing)} firing`) : '0 firing'
    const pending = rules.pending > 0 ? terminal.paint('yellow', `${grouped(rules.pending)} pending`) : '0 pending'
    say('rules', `${counted(rules.rules, 'rule')} in ${counted(rules.files, 'file')}`, firing, pending)
    for (const problem of rules.problems) warn(problem)
  }
  return lines.map(line => `${line.trimEnd()}\n`).join('')
}

function tables(all: readonly TableSection[], terminal: Terminal): string {
  if (all.length === 0) return ''
  const rows = all.map(({ name, kind, first, head, series }) => [
    name,
    kind,
    grouped(first),
    grouped(head),
    kind === 'series' ? grouped(series) : '-',
  ])
  return table(['table', 'kind', '>first', '>head', '>series'], rows, terminal)
}

function bridgePart(bridge: BridgeSection, { gateway }: Partial<GatewayStatus>, terminal: Terminal): string {
  // The gateway's clock, not ours: two machines, or one that was just set, do not agree.
  const now = gateway && gateway.started_ms + gateway.uptime_ms
  const since =
    now === undefined || bridge.connected_since_ms === null ? '' : ` for ${age(now - bridge.connected_since_ms)}`
  const state = `${paintState(bridge.state, terminal)}${since}`
  const name = terminal.paint('bold', printable(bridge.name))
  const why = bridge.reason === undefined ? '' : `         ${terminal.paint('red', printable(bridge.reason))}\n`
  const rows = bridge.streams.map(stream => streamCells(stream))
  const streams = rows.length === 0 ? '' : table(streamTitles, rows, terminal)
  return `bridge   ${name}, ${printable(bridge.url)}, ${state}\n${why}${streams}`
}

function hubPart(hub: HubSection, { gateway: self }: Partial<GatewayStatus>, terminal: Terminal): string {
  const now = self && self.started_ms + self.uptime_ms
  const head = `hub      ${terminal.paint('bold', printable(hub.id))}, ${counted(hub.gateways.length, 'gateway')}, listens on ${hub.listen.map(printable).join(' and ')}\n`
  const rows = hub.gateways.flatMap(({ id, connected, last_contact_ms: last, streams }) => {
    const contact = last === null || now === undefined ? '-' : age(now - last)
    const link: Cell = connected ? { text: 'yes', style: 'green' } : { text: 'no', style: 'yellow' }
    const first: readonly Cell[] = [id, link, contact]
    if (streams.length === 0) return [[...first, ...streamTitles.map(() => '-')]]
    return streams.map((stream, index) => [...(index === 0 ? first : ['', '', '']), ...streamCells(stream)])
  })
  if (rows.length === 0) return head
  return head + table(['gateway', 'connected', '>last contact', ...streamTitles], rows, terminal)
}

const streamTitles = ['table', 'direction', '>behind', '>oldest', '>confirmed', '>bytes', '>parked', 'state']

function streamCells(stream: StreamSection): readonly Cell[] {
  const {
    table: name,
    direction,
    behind,
    oldest_unsent_ms: oldest,
    confirmed,
    sent_bytes,
    parked,
    refused,
    state,
  } = stream
  const aside = parked + (refused ?? 0)
  return [
    name,
    direction,
    grouped(behind),
    oldest === null ? '-' : age(oldest),
    grouped(confirmed),
    formatSize(sent_bytes),
    aside > 0 ? { text: grouped(aside), style: 'red' } : '0',
    { text: state, style: styleOf(state) },
  ]
}

/** Green is only what is known to be well [I9]; a word that we do not know is not. */
function styleOf(state: string): 'green' | 'yellow' | 'red' {
  if (['open', 'talking', 'connected', 'idle', 'moving'].includes(state)) return 'green'
  return ['failed', 'full', 'refused', 'stalled'].includes(state) ? 'red' : 'yellow'
}

const paintState = (state: string, terminal: Terminal): string => terminal.paint(styleOf(state), printable(state))

const counted = (count: number, one: string, many = `${one}s`): string =>
  `${grouped(count)} ${count === 1 ? one : many}`
