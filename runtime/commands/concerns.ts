/**
 * What is wrong, most urgent first, each in one sentence that says what to look at: the top of `holdfast status`, for a
 * person who is tired. Pure. What is not here is well, or was not told.
 */
import type { BridgeSection, GatewayStatus, HubSection, StreamSection } from '../api/status.ts'
import type { SourceSection } from '../api/sources.ts'
import { age, grouped } from './terminal.ts'

/** Anything of it may be missing. */
export type Told<T> = T extends readonly (infer Item)[]
  ? readonly Told<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]?: Told<T[Key]> | undefined }
    : T

export type Concern = { readonly level: 'red' | 'yellow'; readonly text: string }

/** A gateway that was not heard of for so long is said to be silent: a reboot and a short cut are nobody's concern. */
const silentMs = 15 * 60_000

export function concernsOf(status: Told<GatewayStatus>): readonly Concern[] {
  const nowMs = nowOf(status)
  const all = [
    ...storeConcerns(status),
    ...tableConcerns(status),
    ...clockConcerns(status),
    ...rulesConcerns(status),
    ...actionConcerns(status),
    ...(status.sources ?? []).flatMap(sourceConcerns),
    ...(status.bridges ?? []).flatMap(bridge => bridgeConcerns(bridge, nowMs)),
    ...(status.hub ? hubConcerns(status.hub, nowMs) : []),
  ]
  return [...all.filter(({ level }) => level === 'red'), ...all.filter(({ level }) => level === 'yellow')]
}

/** By the gateway's clock, not ours: a board that was just set and a laptop do not agree. */
export function nowOf({ gateway }: Told<GatewayStatus>): number | undefined {
  const { started_ms, uptime_ms } = gateway ?? {}
  return started_ms === undefined || uptime_ms === undefined ? undefined : started_ms + uptime_ms
}

const red = (text: string): Concern => ({ level: 'red', text })
const yellow = (text: string): Concern => ({ level: 'yellow', text })

function storeConcerns({ store, bounds }: Told<GatewayStatus>): Concern[] {
  const { pressure } = bounds ?? {}
  const { state, reason, damaged_values: damaged = 0, repairs = 0, damage } = store ?? {}
  const lost = damage?.entries_lost ?? 0
  return [
    ...(state === 'failed' ? [red(`the store cannot write and takes nothing: ${reason ?? 'no reason told'}`)] : []),
    ...(state === 'full' ? [red(`${reason ?? 'the disk is nearly full'}: new readings are refused`)] : []),
    ...(pressure === 'thin' || pressure === 'drop'
      ? [yellow('the disk is below store.min_free: the oldest readings make room')]
      : []),
    ...(pressure === 'refuse' ? [red('the disk is below store.min_free, and nothing is left to be dropped')] : []),
    ...(damaged > 0 ? [red(`${counted(damaged, 'stored value')} cannot be read any more`)] : []),
    ...(lost > 0
      ? [red(`${counted(lost, 'entry', 'entries')} of logs are lost on a damaged disk (holdfast query gaps)`)]
      : []),
    ...(repairs > 0 ? [yellow('the database was damaged and has been mended (holdfast doctor says more)')] : []),
  ]
}

/** What a log dropped at its limit; unless a stream says so itself, with the far side's name. */
function tableConcerns({ store, bridges = [], hub }: Told<GatewayStatus>): Concern[] {
  const streams = [...bridges, ...(hub?.gateways ?? [])].flatMap(one => one.streams ?? [])
  const told = new Set(streams.filter(({ gaps = 0 }) => gaps > 0).map(({ table }) => table))
  return (store?.tables ?? []).flatMap(({ name = '?', lost = 0, lost_reason: reason, summaries }) => [
    ...(lost > 0 && !told.has(summaries?.of ?? name)
      ? [
          red(
            `${name}: ${counted(lost, 'reading')} dropped at the limit of the log${because(reason)}: before everybody had them (holdfast query gaps)`,
          ),
        ]
      : []),
    ...((summaries?.left_out ?? 0) > 0
      ? [yellow(`${name}: ${counted(summaries?.left_out ?? 0, 'period')} lost: too many series to sum up`)]
      : []),
  ])
}

function clockConcerns({ clock }: Told<GatewayStatus>): Concern[] {
  if (clock?.state !== 'untrusted') return []
  const marked = 'readings are marked (?) until their time can be corrected'
  const what = `the clock of this gateway is not trusted${because(clock.reason)}; ${marked}`
  return [yellow(clock.hint === undefined ? what : `${what}. To do: ${clock.hint}`)]
}

function rulesConcerns({ rules }: Told<GatewayStatus>): Concern[] {
  const { firing = 0, problems = [], silenced = 0, refused = 0, latched = 0, active_max: most = 0 } = rules ?? {}
  const lost = rules?.unrecorded ?? 0
  const quiet = silenced > 0 ? ` (${grouped(silenced)} silenced)` : ''
  const over = latched === 1 ? 'is over and waits' : 'are over and wait'
  const before = (rules?.rules ?? 0) > 0 ? 'the rules read before stay in force' : 'no rules are in force'
  return [
    ...(firing > 0
      ? [red(`${counted(firing, 'alert')} ${firing === 1 ? 'is' : 'are'} firing${quiet}: holdfast alerts`)]
      : []),
    ...(refused > 0
      ? [red(`${counted(refused, 'more alert')} would fire, but ${grouped(most)} do already (alerts.active_max)`)]
      : []),
    ...(problems.length > 0 ? [yellow(`the rule files have faults; ${before}`)] : []),
    ...(lost > 0
      ? [yellow(`${counted(lost, 'reading')} of recording rules could not be stored: the disk is full, or a table is`)]
      : []),
    ...(latched > 0 ? [yellow(`${counted(latched, 'alert')} ${over} to be acknowledged: holdfast alerts`)] : []),
  ]
}

function actionConcerns({ notifications }: Told<GatewayStatus>): Concern[] {
  const { given_up: givenUp = 0, last_failure: last } = notifications?.actions ?? {}
  if (givenUp === 0) return []
  const about = last?.alert === undefined ? '' : ` (${last.alert})`
  return [yellow(`${counted(givenUp, 'action')} of rules could not be done${because(last?.reason)}${about}`)]
}

function sourceConcerns({ name = '?', state, reason, warnings = [] }: Told<SourceSection>): Concern[] {
  return [
    ...(state === 'offline' ? [red(`source ${name} brings nothing${because(reason)}`)] : []),
    ...warnings.map(warning => yellow(`source ${name}: ${warning}`)),
  ]
}

function bridgeConcerns(bridge: Told<BridgeSection>, nowMs: number | undefined): Concern[] {
  const { name = '?', state, reason, warnings = [], streams = [] } = bridge
  const waiting = waitingOf(streams)
  const link =
    state === undefined || state === 'talking'
      ? []
      : [(state === 'greeting' ? yellow : red)(`bridge ${name} is ${state}${because(reason)}${waiting}`)]
  return [
    ...link,
    ...warnings.map(warning => yellow(`bridge ${name}: ${warning}`)),
    ...streams.flatMap(stream => streamConcerns(stream, `bridge ${name}`, nowMs)),
  ]
}

function streamConcerns(stream: Told<StreamSection>, where: string, nowMs: number | undefined): Concern[] {
  const { table = '?', state, reason, parked = 0, gaps = 0 } = stream
  const what = `${where}, ${table} ${stream.direction === 'receive' ? 'coming in' : 'going out'}`
  return [
    ...(state === 'stalled'
      ? [red(`${what}: connected, but nothing is confirmed${sinceWhen(stream, nowMs)}${waitingOf([stream])}`)]
      : []),
    ...(state === 'refused' ? [red(`${what}: refused${because(reason)}`)] : []),
    ...(gaps > 0
      ? [
          red(
            `${what}: ${counted(gaps, 'entry', 'entries')} will never arrive${because(stream.gap_reason)} (holdfast query gaps)`,
          ),
        ]
      : []),
    ...(parked > 0 ? [yellow(`${what}: ${counted(parked, 'row')} put aside (holdfast parked)`)] : []),
  ]
}

function hubConcerns({ broker, warnings = [], gateways = [] }: Told<HubSection>, nowMs: number | undefined): Concern[] {
  const cutOff =
    broker?.connected === false
      ? [
          red(
            `the hub does not reach its broker ${broker.url ?? ''}${because(broker.reason)}: no gateway reaches the hub`,
          ),
        ]
      : []
  const ofGateways = gateways.flatMap(({ id = '?', connected, last_contact_ms: last, streams = [] }) => {
    const silentFor = typeof last === 'number' && nowMs !== undefined ? nowMs - last : undefined
    const silent =
      connected === false && (silentFor ?? Number.POSITIVE_INFINITY) >= silentMs
        ? [yellow(`gateway ${id} was not heard of ${silentFor === undefined ? 'yet' : `for ${age(silentFor)}`}`)]
        : []
    return [...silent, ...streams.flatMap(stream => streamConcerns(stream, `gateway ${id}`, nowMs))]
  })
  return [...cutOff, ...warnings.map(warning => yellow(`the hub: ${warning}`)), ...ofGateways]
}

function waitingOf(streams: readonly Told<StreamSection>[]): string {
  const sending = streams.filter(({ direction }) => direction === 'send')
  const behind = sending.reduce((sum, stream) => sum + (stream.behind ?? 0), 0)
  if (behind === 0) return ''
  const oldest = Math.max(...sending.map(stream => stream.oldest_unsent_ms ?? 0))
  return `; ${counted(behind, 'entry waits', 'entries wait')}${oldest > 0 ? `, the oldest for ${age(oldest)}` : ''}`
}

const sinceWhen = ({ last_confirmed_ms: last }: Told<StreamSection>, nowMs: number | undefined): string =>
  typeof last === 'number' && nowMs !== undefined ? ` for ${age(nowMs - last)}` : ''

const because = (reason: string | undefined): string => (reason === undefined ? '' : `: ${reason}`)
const counted = (count: number, one: string, more = `${one}s`): string =>
  `${grouped(count)} ${count === 1 ? one : more}`
