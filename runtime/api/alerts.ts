/**
 * The endpoints of alerts, below /api/v1. Whole rows with their snippets are the rows of the table `alerts`.
 *
 *   GET  alerts             those that fire or are latched, newest first, without their snippets
 *                           ?all=true &rule= &device= &since= &limit=
 *   POST alerts/ack         {"keys": [...]} or {"all": true}, "by", "comment"
 *   GET  silences           every row of the table `silences`, and what it covers now
 *   POST silences           {"match": {rule, device, metric, labels}, "for_ms", "by", "comment"}
 *   POST silences/end       {"ids": [...]}
 *
 * Acknowledging and ending answer with what came of each: {"rows": [{key, outcome, reason}]}.
 */
import type { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { HoldfastError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Json } from '../reading.ts'
import { jsonBody } from './body.ts'
import { bodyTooLarge, faultResponse, jsonResponse } from './faults.ts'
import { alertKeysMax, alertsDefault, alertsMax, bodyBytesMax, silenceMsMax, silenceMsMin } from './limits.ts'
import { parseLimit, parseTimeMs, readParameters, shown } from './parameters.ts'

/** An alert's row without its snippet (rules/alert/alert.ts has the rest of its keys), and what covers it. */
export type AlertForm = { readonly key: string; readonly silence: string | null }

export type SilenceForm = {
  readonly id: string
  /** `active`, `waiting` for its beginning, `ended`, or `faulty`: then it silences nothing, and `reason` says why. */
  readonly state: string
  readonly reason: string | null
  readonly row: Json
  /** How many alerts that are not over it covers now. */
  readonly alerts: number
}

export type AlertOutcome = { readonly key: string; readonly outcome: string; readonly reason: string | undefined }
export type AlertsAnswer = {
  readonly rows: readonly (Omit<AlertOutcome, 'reason'> & { readonly reason: string | null })[]
}

/** With the time by the gateway's clock, which ages are counted by. */
export type AlertsListed<Form = AlertForm> = { readonly now_ms: number; readonly alerts: readonly Form[] }
export type SilencesListed = { readonly now_ms: number; readonly silences: readonly SilenceForm[] }

type Match = { readonly [name in 'rule' | 'device' | 'metric']?: string } & {
  readonly labels?: Readonly<Record<string, string>>
}

/** Who knows the alerts. */
export type AlertsDoor = {
  list(choice: {
    readonly all: boolean
    readonly rule: string | undefined
    readonly device: string | undefined
    readonly sinceMs: number | undefined
    readonly limit: number
  }): Promise<readonly AlertForm[]>
  acknowledge(keys: readonly string[] | undefined, by: string, comment: string): Promise<readonly AlertOutcome[]>
  silences(): Promise<readonly SilenceForm[]>
  silence(match: Match, forMs: number, by: string, comment: string): Promise<SilenceForm>
  unsilence(ids: readonly string[]): Promise<readonly AlertOutcome[]>
}

export function alertsRoutes(app: Hono, base: string, alerts: AlertsDoor, now: () => number, log: Log): void {
  const limited = bodyLimit({ maxSize: bodyBytesMax, onError: () => faultResponse(bodyTooLarge(), log) })
  const bodyOf = async (c: { req: { header(name: string): string | undefined; text(): Promise<string> } }) => {
    const body = jsonBody(c.req.header('content-type'), await c.req.text())
    return (typeof body === 'object' && body !== null ? body : {}) as Readonly<Record<string, Json>>
  }

  app.get(`${base}/alerts`, async c => {
    const given = readParameters(new URL(c.req.url).searchParams, ['all', 'rule', 'device', 'since', 'limit'])
    const { all = 'false', rule, device, since, limit } = given
    if (all !== 'true' && all !== 'false') {
      throw new HoldfastError('BAD_ARGUMENT', `"all" is "${shown(all)}"`, 'write true or false')
    }
    const sinceMs = since === undefined ? undefined : parseTimeMs('since', since, now())
    const most = limit === undefined ? alertsDefault : parseLimit(limit)
    if (most > alertsMax) throw bad(`"limit" is more than ${alertsMax}`, 'choose with rule, device or since')
    const found = await alerts.list({ all: all === 'true', rule, device, sinceMs, limit: most })
    const answer: AlertsListed = { now_ms: now(), alerts: found }
    return jsonResponse(answer)
  })

  app.post(`${base}/alerts/ack`, limited, async c => {
    const body = await bodyOf(c)
    const keys = body['all'] === true && body['keys'] === undefined ? undefined : namesOf(body['keys'], 'keys')
    return answerOf(await alerts.acknowledge(keys, textOf(body, 'by'), textOf(body, 'comment')))
  })

  app.get(`${base}/silences`, async () => {
    const answer: SilencesListed = { now_ms: now(), silences: await alerts.silences() }
    return jsonResponse(answer)
  })

  app.post(`${base}/silences`, limited, async c => {
    const body = await bodyOf(c)
    return jsonResponse(
      await alerts.silence(matchOf(body['match']), durationOf(body), textOf(body, 'by'), textOf(body, 'comment')),
    )
  })

  app.post(`${base}/silences/end`, limited, async c =>
    answerOf(await alerts.unsilence(namesOf((await bodyOf(c))['ids'], 'ids'))),
  )
}

function answerOf(outcomes: readonly AlertOutcome[]): Response {
  const answer: AlertsAnswer = { rows: outcomes.map(row => ({ ...row, reason: row.reason ?? null })) }
  return jsonResponse(answer)
}

const bad = (message: string, hint: string): HoldfastError => new HoldfastError('BAD_ARGUMENT', message, hint)

/** Either names or `all`: an empty body must not acknowledge everything. */
function namesOf(value: Json | undefined, name: 'keys' | 'ids'): readonly string[] {
  const isList = Array.isArray(value) && value.length > 0 && value.every(key => typeof key === 'string' && key !== '')
  if (isList && value.length <= alertKeysMax) return value as readonly string[]
  const all = name === 'keys' ? ', or {"all": true}' : ''
  throw bad('the body does not say which are meant', `send {"${name}": [...]} with 1 to ${alertKeysMax} of them${all}`)
}

function textOf(body: Readonly<Record<string, Json>>, name: 'by' | 'comment'): string {
  const text = body[name] ?? ''
  if (typeof text === 'string' && text.length <= 256) return text
  throw bad(`"${name}" is not a text of at most 256 characters`, `leave "${name}" out, or send a short text`)
}

function durationOf({ for_ms: forMs }: Readonly<Record<string, Json>>): number {
  if (typeof forMs === 'number' && forMs >= silenceMsMin && forMs <= silenceMsMax) return Math.round(forMs)
  throw bad('"for_ms" does not say for how long', 'send milliseconds, from a second to a year')
}

const matchers = ['rule', 'device', 'metric', 'labels']

/** An empty match is everything, so it has to be written: a body without one is a slip of the pen. */
function matchOf(value: Json | undefined): Match {
  const isText = (text: unknown): boolean => typeof text === 'string' && text !== '' && text.length <= 256
  const isMap = (map: unknown): map is Record<string, Json> =>
    typeof map === 'object' && map !== null && !Array.isArray(map)
  if (isMap(value) && Object.keys(value).every(name => matchers.includes(name))) {
    const { labels = {}, ...texts } = value
    const isGood = isMap(labels) && [...Object.values(texts), ...Object.values(labels)].every(isText)
    if (isGood && Object.keys(labels).length <= 32) return value
  }
  throw bad(
    '"match" does not say what to silence',
    'send {"rule", "device", "metric": patterns, "labels": {name: pattern}}, or {} for every alert',
  )
}
