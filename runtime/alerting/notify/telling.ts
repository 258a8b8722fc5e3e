/**
 * Telling the local broker of alerts, by themselves and in their groups: what there is to tell, whether a silence holds it
 * back, and what was told. Throws what the broker throws: then it was not told, and is tried again.
 */
import type { AlertRow } from '../../../rules/alert/alert.ts'
import type { AlertRule } from '../../../rules/rule.ts'
import type { Silences } from '../silences.ts'
import { type Member, announcementOf, eventOf, groupAnnouncement } from './announcement.ts'
import { type Case, groupWasTold, tellDueMs, wasTold } from './case.ts'
import type { Cases, Tracked } from './cases.ts'
import type { Publisher } from './jobs.ts'
import { groupBytesMax } from './limits.ts'

export type TellingDoors = {
  /** Undefined where this gateway has no broker: then all counts as told. */
  readonly publish: Publisher | undefined
  /** The row of an alert as it is now. */
  readonly rowOf: (key: string) => AlertRow | undefined
  readonly ruleOf: (id: string) => AlertRule | undefined
  /** What a rule that says nothing of it does. */
  readonly renotifyMs: number | undefined
  readonly silences: Silences
  readonly now: () => number
}

/** Since the start: tellings of alerts, those of them that were repetitions, tellings of groups, those held back. */
export type TellingCounts = { announced: number; repeated: number; groups: number; suppressed: number }

export class Telling {
  readonly #doors: TellingDoors
  readonly #cases: Cases
  readonly #counts: TellingCounts

  constructor(doors: TellingDoors, cases: Cases, counts: TellingCounts) {
    this.#doors = doors
    this.#cases = cases
    this.#counts = counts
  }

  /** Tells of an alert if there is something to tell, and nobody wants silence. True if it did. */
  async tell(tracked: Tracked, known?: AlertRow): Promise<boolean> {
    const nowMs = this.#doors.now()
    if ((this.dueMs(tracked) ?? Number.POSITIVE_INFINITY) > nowMs) return false
    const { key } = tracked
    const row = known ?? this.#doors.rowOf(key)
    if (!row) {
      this.#cases.drop(key)
      return false
    }
    if (this.#isSilenced(tracked, row, nowMs)) return false
    const { publish } = this.#doors
    if (publish) {
      const { topic, payload } = announcementOf(key, row, tracked.state)
      const isAgain = eventOf(tracked.state) === 'repeated'
      await publish(topic, payload, { qos: 1, retain: false })
      this.#counts.announced++
      if (isAgain) this.#counts.repeated++
    }
    // Its jobs may have moved meanwhile.
    this.#cases.set(key, wasTold(tracked.state, nowMs), nowMs)
    return true
  }

  /** Tells of every group that has changed, and waited long enough. True if there was one. */
  async tellGroups(): Promise<boolean> {
    const { publish, now, rowOf } = this.#doors
    const nowMs = now()
    let hasTold = false
    for (const { labels, keys, dueMs, told } of this.#groups(nowMs)) {
      if (dueMs > nowMs) continue
      if (publish) {
        const members = keys.map((key): Member => ({ key, isOver: this.#stateOf(key)?.told === 'resolved' }))
        const { topic, payload } = groupAnnouncement(labels, members, rowOf, groupBytesMax)
        await publish(topic, payload, { qos: 1, retain: false })
        this.#counts.groups++
      }
      told()
      for (const key of keys) {
        const state = this.#stateOf(key)
        if (state) this.#cases.set(key, groupWasTold(state), nowMs)
      }
      hasTold = true
    }
    return hasTold
  }

  /** When there is something to tell of an alert; undefined for never, by what is known now. */
  dueMs({ state, quietUntilMs }: Tracked): number | undefined {
    const { ruleOf, renotifyMs } = this.#doors
    const dueMs = tellDueMs(state, ruleOf(state.rule)?.renotifyMs ?? renotifyMs)
    if (dueMs === undefined || state.phase === 'resolved') return dueMs
    return Math.max(dueMs, quietUntilMs)
  }

  /** The same for the groups; Infinity for never. */
  groupsDueMs(): number {
    return this.#groups(this.#doors.now()).reduce((next, { dueMs }) => Math.min(next, dueMs), Number.POSITIVE_INFINITY)
  }

  /** The end of what was told is never held back. */
  #isSilenced(tracked: Tracked, row: AlertRow, nowMs: number): boolean {
    const isEnd = tracked.state.phase === 'resolved'
    const silence = isEnd ? undefined : this.#doors.silences.over(row, nowMs)
    if (silence) {
      tracked.quietUntilMs = silence.untilMs
      if (!tracked.isHeld) this.#counts.suppressed++
    }
    tracked.isHeld = silence !== undefined
    return tracked.isHeld
  }

  #groups(nowMs: number) {
    return [...this.#cases.groups.due(key => this.#stateOf(key), nowMs)]
  }

  #stateOf(key: string): Case | undefined {
    return this.#cases.open.get(key)?.state
  }
}
