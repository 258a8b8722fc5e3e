/**
 * Plays one test: readings, rows, restarts and jumps of the clock in the order of their time, and looks where the test
 * looks. At one moment the order is: power that comes back; rows, silences, the clock; readings and deadlines, as the
 * gateway judges them; acknowledgements; the look; power that goes.
 *
 * Between two such moments all readings are given to the store at once, each with its own time of arrival: rules judge by
 * that, so nothing is different from giving them one by one, and a day takes a second. Only who tells of alerts and acts
 * upon them looks at the clock: where a test is about that, time goes from reading to reading and from deadline to deadline.
 */
import type { Rule } from '../../rules/rule.ts'
import { compare } from '../../rules/scenario/compare.ts'
import type { Failure } from '../../rules/scenario/failure.ts'
import type { Expectation, Happening, InputReading, Scenario } from '../../rules/scenario/scenario.ts'
import { sinceStart } from '../../rules/scenario/moments.ts'
import type { Sight } from '../../rules/scenario/seen.ts'
import type { Json } from '../reading.ts'
import type { Arrival, Change } from '../store/types.ts'
import { WallClock } from './clock.ts'
import { hindsightOf } from './hindsight.ts'
import { pendingAlerts, seenAlerts, seenReadings } from './sight.ts'
import { Stage } from './stage.ts'
import { tablesOf } from './tables.ts'

/** Readings of one commit: a group that large is still one quick write. */
const batchMax = 4_096

export async function rehearse(scenario: Scenario, rules: readonly Rule[]): Promise<readonly Failure[]> {
  const play = new Play(scenario, rules)
  try {
    return await play.run()
  } finally {
    await play.end()
  }
}

class Play {
  readonly #scenario: Scenario
  readonly #rules: readonly Rule[]
  readonly #clock: WallClock
  readonly #stage: Stage
  readonly #sights: { readonly expectation: Expectation; readonly sight: Sight }[] = []
  readonly #failures: Failure[] = []
  readonly #isStepwise: boolean
  /** How many of the readings have been given to the store. */
  #given = 0
  /** Rows that wait for the gateway to be back: whoever wrote them goes on trying. */
  readonly #waiting: Change[] = []
  #backMs: number | undefined
  #nowMs: number

  constructor(scenario: Scenario, rules: readonly Rule[]) {
    this.#scenario = scenario
    this.#nowMs = scenario.startMs - 1
    this.#clock = new WallClock(scenario.startMs)
    this.#isStepwise = needsSteps(scenario, rules)
    this.#rules = rules
    this.#stage = new Stage(rules, tablesOf(scenario, rules), scenario.startMs)
  }

  async run(): Promise<readonly Failure[]> {
    const { readings, happenings, expectations } = this.#scenario
    await this.#stage.on()
    for (const atMs of momentsOf(this.#scenario)) {
      const now = happenings.filter(each => each.atMs === atMs)
      // What is due before must not see what changes now.
      if (now.length > 0 && !this.#isOff) await this.#goTo(atMs - 1)
      if (this.#backMs !== undefined && this.#backMs <= atMs) await this.#back(atMs)
      for (const each of now) await this.#before(each)
      if (!this.#isOff) await this.#goTo(atMs)
      for (const each of now) if (each.kind === 'ack') await this.#acknowledge(each)
      for (const each of expectations) if (each.at.ms === atMs) await this.#look(each)
      for (const each of now) if (each.kind === 'off') await this.#off(each)
    }
    const lastMs = readings.at(-1)?.arrivalMs ?? this.#nowMs
    // What comes after the last look is played only to say how near a failure was: a test that is good need not wait.
    if ((await this.#compared()).length > 0 && lastMs > this.#nowMs) await this.#goTo(lastMs)
    return [...this.#failures, ...(await this.#compared())].toSorted((a, b) => a.evalMs - b.evalMs)
  }

  async #compared(): Promise<readonly Failure[]> {
    const { readings, startMs } = this.#scenario
    const all = await seenAlerts(this.#stage.store, ms => this.#clock.trueAt(ms))
    const hindsight = hindsightOf(startMs, all, readings)
    return this.#sights.flatMap(({ expectation, sight }) => compare(expectation, sight, hindsight))
  }

  get #isOff(): boolean {
    return this.#backMs !== undefined
  }

  end(): Promise<void> {
    return this.#stage.end()
  }

  /** Gives what has arrived by then, and lets all that is due by then come to pass. */
  async #goTo(atMs: number): Promise<void> {
    if (this.#isStepwise) {
      for (;;) {
        const dueMs = Math.max(this.#clock.trueAt(this.#stage.dueMs), this.#nowMs + 1)
        const nextMs = Math.min(this.#scenario.readings[this.#given]?.arrivalMs ?? dueMs, dueMs)
        if (nextMs >= atMs) break
        await this.#goStraightTo(nextMs)
      }
    }
    await this.#goStraightTo(atMs)
  }

  async #goStraightTo(atMs: number): Promise<void> {
    const { readings } = this.#scenario
    while (this.#given < readings.length) {
      const batch: InputReading[] = []
      for (let index = this.#given; index < readings.length && batch.length < batchMax; index++) {
        const reading = readings[index] as InputReading
        if (reading.arrivalMs > atMs) break
        batch.push(reading)
      }
      if (batch.length === 0) break
      this.#given += batch.length
      this.#stage.setWall(this.#clock.wallAt(batch.at(-1)?.arrivalMs ?? atMs))
      await this.#stage.store.commit(this.#appends(batch), 'now')
    }
    this.#nowMs = atMs
    this.#stage.setWall(this.#clock.wallAt(atMs))
    await this.#stage.settled()
  }

  #appends(batch: readonly InputReading[]): Change[] {
    const changes: { kind: 'append'; table: string; readings: Arrival[] }[] = []
    for (const { table, device, metric, unit, value, measuredMs, arrivalMs, tellsTime } of batch) {
      // One change for a run of the same table: the log keeps the order in which they came.
      const last = changes.at(-1)
      const into = last?.table === table ? last : { kind: 'append' as const, table, readings: [] }
      if (into !== last) changes.push(into)
      into.readings.push({
        device,
        metric,
        unit,
        value,
        id: undefined,
        deviceTimeMs: tellsTime ? measuredMs : undefined,
        arrivalMs: this.#clock.wallAt(arrivalMs),
        joined: false,
      })
    }
    return changes
  }

  async #before(happening: Happening): Promise<void> {
    switch (happening.kind) {
      case 'row': {
        const { table, key, row } = happening
        return this.#write(
          row === undefined ? [{ kind: 'delete', table, key }] : [{ kind: 'put', table, key, value: row }],
        )
      }
      case 'jump':
        this.#clock.jump(happening.atMs, happening.byMs)
        this.#stage.setWall(this.#clock.wallAt(happening.atMs))
        return
      case 'silence': {
        const { id, untilMs, match, by, comment } = happening
        const [from_ms, until_ms] = [this.#stage.wallMs, this.#clock.wallAt(untilMs)]
        return this.#write([
          { kind: 'put', table: 'silences', key: id, value: { match, from_ms, until_ms, by, comment } },
        ])
      }
      case 'ack':
      case 'off':
        return
    }
  }

  async #write(changes: readonly Change[]): Promise<void> {
    if (this.#isOff) this.#waiting.push(...changes)
    else if (changes.length > 0) await this.#stage.store.commit(changes, 'now')
  }

  /** A row for each alert that stands and is meant. An acknowledgement of nothing is a mistake of the test. */
  async #acknowledge(ack: Extract<Happening, { kind: 'ack' }>): Promise<void> {
    const { alertname, device, metric, by, comment, atMs } = ack
    const changes: Change[] = []
    for await (const { key, value } of this.#stage.store.rows('alerts')) {
      const row = value as Record<string, Json>
      const isMeant =
        row['rule'] === alertname &&
        row['state'] !== 'resolved' &&
        (device === undefined || row['device'] === device) &&
        (metric === undefined || row['metric'] === metric)
      const acked = { by, comment, acked_ms: this.#stage.wallMs }
      if (isMeant) changes.push({ kind: 'put', table: 'acks', key, value: acked })
    }
    if (changes.length === 0) this.#failures.push(nothingToAcknowledge(ack, this.#scenario.startMs))
    await this.#write(changes)
    await this.#goTo(atMs)
  }

  async #off({ untilMs, isCrash }: Extract<Happening, { kind: 'off' }>): Promise<void> {
    await (isCrash ? this.#stage.crash() : this.#stage.off())
    this.#backMs = untilMs
  }

  async #back(atMs: number): Promise<void> {
    this.#backMs = undefined
    this.#stage.setWall(this.#clock.wallAt(atMs))
    await this.#stage.on()
    await this.#write(this.#waiting.splice(0))
  }

  async #look(expectation: Expectation): Promise<void> {
    const { store } = this.#stage
    const sight = { alerts: [], readings: [], messages: [] }
    switch (expectation.kind) {
      case 'alerts': {
        const trueAt = (ms: number): number => this.#clock.trueAt(ms)
        const standing = await seenAlerts(store, trueAt)
        const wantsPending = expectation.alerts.some(({ state }) => state === 'pending')
        const pending = wantsPending ? pendingAlerts(await this.#stage.savedStates(), this.#rules, trueAt) : []
        this.#sights.push({ expectation, sight: { ...sight, alerts: [...standing, ...pending] } })
        return
      }
      case 'readings': {
        const readings = await Promise.all(expectation.series.map(each => seenReadings(store, each.table, each.series)))
        this.#sights.push({ expectation, sight: { ...sight, readings } })
        return
      }
      case 'published': {
        const messages = this.#stage.published.map(({ wallMs, topic, payload }) => ({
          atMs: this.#clock.trueAt(wallMs),
          topic,
          payload: jsonOrText(payload),
        }))
        this.#sights.push({ expectation, sight: { ...sight, messages } })
      }
    }
  }
}

/** What is told and done depends on the clock as it goes, not only on what has come. */
function needsSteps({ expectations }: Scenario, rules: readonly Rule[]): boolean {
  return (
    expectations.some(({ kind }) => kind === 'published') ||
    rules.some(rule => rule.kind === 'alert' && rule.actions.length > 0)
  )
}

/** As an expectation writes it down: JSON where it is, else the text. */
function jsonOrText(payload: string): Json {
  try {
    return JSON.parse(payload) as Json
  } catch {
    return payload
  }
}

/** Every moment at which something else than a reading comes, in order. The gateway is back before the test ends. */
function momentsOf({ happenings, expectations }: Scenario): readonly number[] {
  const moments = new Set([
    ...happenings.map(({ atMs }) => atMs),
    ...happenings.flatMap(each => (each.kind === 'off' ? [each.untilMs] : [])),
    ...expectations.map(({ at }) => at.ms),
  ])
  return [...moments].toSorted((a, b) => a - b)
}

function nothingToAcknowledge(ack: Extract<Happening, { kind: 'ack' }>, startMs: number): Failure {
  return {
    evalTime: sinceStart(ack.atMs, startMs),
    evalMs: ack.atMs,
    about: ack.alertname,
    kind: 'missing',
    what: 'an alert to acknowledge',
    differences: [],
    hint: 'none stands at that time',
  }
}
