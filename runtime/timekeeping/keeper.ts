/**
 * Keeps the board's clock honest: asks again and again whether the wall clock can be trusted (clock/trust.ts), and draws
 * the consequences.
 *
 *   not trusted   time runs evenly from the base of this boot, which is remembered in the store; readings name the boot
 *   trusted       once: the row of the table `clock` that corrects this boot, the states of rules moved by the same
 *                 offset, and own rows with disproved stamps written again. One commit: a crash leaves all of it or none
 *
 * Promises: no room ever sees time in between; a bridge that waits for `heard` applies nothing from its hub before the
 * consequences are on the disk. A store that cannot write is waited for. One log line per change of state.
 */
import type { BoardClock, Clocks } from '../clock/board.ts'
import type { Boot } from '../clock/facts.ts'
import type { HybridClock } from '../clock/hybrid.ts'
import {
  type ClockRules,
  type MachineFacts,
  type TimeSource,
  type Untrusted,
  type Verdict,
  decide,
  span,
} from '../clock/trust.ts'
import { HoldfastError, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { type Stamp, stampAt, stampMs } from '../stamp.ts'
import { type BootRow, bootKey, clockTable } from '../store/corrections.ts'
import type { Store } from '../store/store.ts'
import type { Change } from '../store/types.ts'
import { lookTrustedMs, lookUntrustedMs, retryMs, rowsPerCommit, saidMs, stepMs, tickMs } from './limits.ts'
import { restamp, slowMs } from './restamp.ts'

export type KeeperDoors = {
  readonly store: Store
  readonly stamps: HybridClock
  readonly clock: BoardClock
  readonly boot: Boot
  readonly clocks: Clocks
  readonly after: (delayMs: number, run: () => void) => () => void
  readonly facts: () => Promise<MachineFacts>
  /** The changes that move the states of rules; those alone that speak of a later time, if one is given. */
  readonly shiftRules: (offsetMs: number, laterThanMs?: number) => Change[]
  readonly log: Log
}

/** What a hub said of the time, and when we asked and heard it, by the monotonic clock. */
export type Told = {
  readonly wallMs: number
  readonly isTrusted: boolean
  readonly askedAtMs: number
  readonly heardAtMs: number
}

export type ClockStatus = {
  readonly state: 'trusted' | 'untrusted'
  readonly source: TimeSource | undefined
  readonly reason: string
  /** What a person can do about it; undefined while the clock is trusted. */
  readonly hint: string | undefined
  /** What is added to the wall clock to get the time that this gateway goes by. */
  readonly offsetMs: number
  /** The boot that readings name now; undefined while the time is known. */
  readonly boot: string | undefined
}

/** What the store remembers of the boot that runs, unless its time was known for good from the start. */
type KeptBoot = {
  readonly base_ms: number
  /** The time that was assumed when the program first ran in this boot, and the floor of stamps then. */
  readonly started_ms: number
  readonly floor: number
  /** The clock was not trusted for a while: readings of this boot name it. */
  readonly is_named: boolean
  readonly offset_ms: number | null
  /** The offset was found by a witness that is strong: it does not change any more. */
  readonly is_final: boolean
}

const owner = 'clock'

export class Timekeeper {
  readonly #rules: ClockRules
  readonly #doors: KeeperDoors
  readonly #stop = new AbortController()
  readonly #stopped = new Promise<void>(resolve => this.#stop.signal.addEventListener('abort', () => resolve()))
  #kept: KeptBoot
  #isKept = false
  #machine: MachineFacts = { service: undefined, hasBatteryClock: false }
  #hub: { readonly aheadMs: number; readonly errorMs: number; readonly atMs: number } | undefined
  #verdict: Verdict | undefined
  /** Rows were looked through for disproved stamps, since the time is known. */
  #isLookedThrough = false
  #turn: Promise<void> = Promise.resolve()
  #lastTick: { readonly wallMs: number; readonly atMs: number; readonly lookedAtMs: number }
  #cancelTick: () => void = () => {}
  /** Pauses the judging of rules while time moves. Until there are rules, nobody judges. */
  whileRulesPause: (work: () => Promise<void>) => Promise<void> = work => work()

  /** Resolves when the first look is done and its consequences are on the disk. */
  static async open(rules: ClockRules, doors: KeeperDoors): Promise<Timekeeper> {
    const keeper = new Timekeeper(rules, doors)
    await keeper.look()
    keeper.#cancelTick = doors.after(tickMs, () => keeper.#tick())
    return keeper
  }

  private constructor(rules: ClockRules, doors: KeeperDoors) {
    this.#rules = rules
    this.#doors = doors
    const { store, stamps, clock, boot, clocks } = doors
    const kept = store.state(owner, boot.id) as KeptBoot | undefined
    this.#isKept = kept !== undefined
    const startedMs = Math.max(Math.round(clocks.wallMs()), stampMs(stamps.last))
    this.#kept = kept ?? {
      base_ms: Math.round(startedMs - clock.uptimeMs()),
      started_ms: startedMs,
      floor: stamps.last,
      is_named: false,
      offset_ms: null,
      is_final: false,
    }
    clock.begin(this.#kept.base_ms, this.#kept.is_final ? (this.#kept.offset_ms ?? undefined) : undefined)
    this.#lastTick = { wallMs: clocks.wallMs(), atMs: clocks.monotonicMs(), lookedAtMs: clocks.monotonicMs() }
  }

  /** A hub has told its time. Resolves when what follows from it is on the disk. */
  heard({ wallMs, isTrusted, askedAtMs, heardAtMs }: Told): Promise<void> {
    // A hub that does not know the time itself takes back nothing that it said before.
    if (!isTrusted) return Promise.resolve()
    const errorMs = (heardAtMs - askedAtMs) / 2
    this.#hub = { aheadMs: wallMs - (askedAtMs + errorMs), errorMs, atMs: heardAtMs }
    const settled = this.#inTurn(() => this.#settle())
    return Promise.race([settled, this.#stopped])
  }

  get isTrusted(): boolean {
    return this.#doors.clock.isTrusted
  }

  status(): ClockStatus {
    const { clock, clocks } = this.#doors
    const verdict = this.#verdict
    return {
      state: clock.isTrusted ? 'trusted' : 'untrusted',
      source: verdict?.state === 'trusted' ? verdict.source : undefined,
      reason: verdict?.reason ?? 'nobody has looked yet',
      hint: verdict?.state === 'untrusted' ? verdict.hint : undefined,
      offsetMs: Math.round(clock.now() - clocks.wallMs()),
      boot: clock.boot(),
    }
  }

  /** Nobody waits for the time any more: what is waited for may itself wait for a store that cannot write. */
  stop(): void {
    this.#stop.abort()
    this.#cancelTick()
  }

  async close(): Promise<void> {
    this.stop()
    await this.#turn
  }

  /** A step of the wall clock is looked into at once; else seldom, once the time is known. */
  #tick(): void {
    const { clock, clocks, after } = this.#doors
    const [wallMs, atMs] = [clocks.wallMs(), clocks.monotonicMs()]
    const last = this.#lastTick
    const isStep = Math.abs(wallMs - last.wallMs - (atMs - last.atMs)) > stepMs
    const isDue = atMs - last.lookedAtMs >= (clock.isTrusted ? lookTrustedMs : lookUntrustedMs)
    this.#lastTick = { wallMs, atMs, lookedAtMs: isStep || isDue ? atMs : last.lookedAtMs }
    if (isStep || isDue) void this.look()
    if (!this.#stop.signal.aborted) this.#cancelTick = after(tickMs, () => this.#tick())
  }

  /** Looks at the machine, and draws the consequences. */
  async look(): Promise<void> {
    this.#machine = await this.#doors.facts()
    if (this.#machine.uptimeMs !== undefined) this.#doors.clock.wokeUp(this.#machine.uptimeMs)
    await this.#inTurn(() => this.#settle())
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(work).catch((error: unknown) => {
      this.#doors.log.error({ reason: messageOf(error) }, 'the clock could not be looked after')
    })
    return this.#turn
  }

  async #settle(): Promise<void> {
    if (this.#stop.signal.aborted) return
    const { clock, clocks, stamps } = this.#doors
    const wallMs = clocks.wallMs()
    const seen = { wallMs, floorMs: stampMs(stamps.last), knownMs: clock.knownMs(), hub: this.#hubSays(wallMs) }
    const facts = { ...this.#machine, ...seen }
    const verdict = decide(this.#rules, facts)
    const before = this.#verdict
    this.#verdict = verdict
    if (verdict.state === 'trusted') await this.#trust(verdict, before)
    else await this.#distrust(verdict, before)
  }

  #hubSays(wallMs: number): { offsetMs: number; errorMs: number } | undefined {
    const atMs = this.#doors.clocks.monotonicMs()
    if (this.#hub === undefined || atMs - this.#hub.atMs > saidMs) return undefined
    return { offsetMs: this.#hub.aheadMs + atMs - wallMs, errorMs: this.#hub.errorMs }
  }

  async #distrust({ reason, hint }: Untrusted, before: Verdict | undefined): Promise<void> {
    const { clock, log } = this.#doors
    clock.distrust()
    if (before?.state !== 'untrusted' || before.reason !== reason) {
      log.warn({ reason, hint, boot: clock.boot() }, 'the clock is not trusted')
    }
    if (clock.boot() !== undefined && !this.#kept.is_named) await this.#commit([this.#keep({ is_named: true })])
  }

  async #trust(verdict: Verdict & { state: 'trusted' }, before: Verdict | undefined): Promise<void> {
    const { clock, clocks, stamps, log } = this.#doors
    const { source, reason } = verdict
    const isForGood = source !== 'battery' && source !== 'config'
    const trueMs = clocks.wallMs() + verdict.offsetMs
    const jumpMs = Math.round(trueMs - clock.now())
    const isSame = before?.state === 'trusted' && before.source === source
    // Answers of a hub come a little sooner or later: no reason to move the clock each time.
    if (isSame && verdict.offsetMs !== 0 && Math.abs(jumpMs) < slowMs) return
    if (!isSame) log.info({ source, reason, offset_ms: verdict.offsetMs }, 'the clock is trusted')
    const isAhead = stamps.last > stampAt(trueMs + this.#rules.maxAheadMs)
    const corrects = this.#kept.is_named && (this.#kept.offset_ms === null || (isForGood && !this.#kept.is_final))
    const flip = (): void => clock.trust(verdict.offsetMs, isForGood)
    if (!corrects && !isAhead && this.#isLookedThrough) return flip()
    // A weak witness may turn out to be wrong: then this boot has to be put right from its beginning.
    if (!isForGood && !this.#isKept) await this.#commit([this.#keep({})])
    const isFirst = before === undefined
    const work = (): Promise<void> => this.#correct({ flip, corrects, isForGood, source, jumpMs, isFirst })
    await (Math.abs(jumpMs) < slowMs ? work() : this.whileRulesPause(work))
  }

  async #correct({ flip, corrects, isForGood, source, jumpMs, isFirst }: Correction): Promise<void> {
    const { store, stamps, clock, boot, log } = this.#doors
    const { maxAheadMs } = this.#rules
    const lastBefore = stamps.last
    const provisionalMs = clock.provisionalMs()
    flip()
    const trueMs = clock.now()
    const offsetMs = Math.round(trueMs - provisionalMs)
    const honestMax = stampAt(trueMs + maxAheadMs)
    if (lastBefore > honestMax) {
      const ahead = span(stampMs(lastBefore) - trueMs)
      log.error({ ahead }, 'stamps were given far in the future, by a clock that was wrong: the floor comes back')
      stamps.lower(stampAt(trueMs))
    }
    const { changes, latest } = await restamp(store, {
      honestMax,
      now: stampAt(trueMs),
      bootFloor: this.#kept.floor as Stamp,
      bootMs: offsetMs,
      beforeMs: Math.round(this.#kept.started_ms + offsetMs - stampMs(this.#kept.floor as Stamp)),
      slowUpTo: corrects ? lastBefore : undefined,
    })
    stamps.observe(latest)
    if (changes.length > 0) log.warn({ rows: changes.length, offset_ms: offsetMs }, 'rows get their right stamps')
    const last = Math.max(0, changes.length - rowsPerCommit)
    for (let from = 0; from < last; from += rowsPerCommit) {
      await this.#commit(changes.slice(from, Math.min(last, from + rowsPerCommit)))
    }
    const row: BootRow = { offset_ms: offsetMs, base_ms: this.#kept.base_ms, at_ms: trueMs, source }
    await this.#commit([
      ...changes.slice(last),
      ...this.#ruleChanges({ corrects, jumpMs, isFirst, offsetMs, trueMs }),
      ...(corrects
        ? [
            { kind: 'put', table: clockTable, key: bootKey(store.origin, boot.id), value: row } as const,
            this.#keep({ offset_ms: offsetMs, is_final: isForGood }),
          ]
        : []),
    ])
    this.#isLookedThrough = true
  }

  /** At the first look the states are of an earlier run: of this boot, or of one of which only the future tells. */
  #ruleChanges({ corrects, jumpMs, isFirst, offsetMs, trueMs }: RuleShift): Change[] {
    const { shiftRules } = this.#doors
    if (!isFirst) return Math.abs(jumpMs) < slowMs ? [] : shiftRules(jumpMs)
    if (corrects) return Math.abs(offsetMs) < slowMs ? [] : shiftRules(offsetMs)
    return offsetMs < -this.#rules.maxAheadMs ? shiftRules(offsetMs, trueMs + this.#rules.maxAheadMs) : []
  }

  /** What is known of this boot, with something new; what was known of others is not needed any more. */
  #keep(fields: Partial<KeptBoot>): Change {
    this.#kept = { ...this.#kept, ...fields }
    this.#isKept = true
    return { kind: 'state', owner, key: this.#doors.boot.id, value: this.#kept }
  }

  async #commit(made: readonly Change[]): Promise<void> {
    const { store, boot, after } = this.#doors
    const others = [...store.states(owner).keys()].filter(key => key !== boot.id)
    const forgotten = others.map((key): Change => ({ kind: 'state', owner, key, value: undefined }))
    const changes = [...made, ...forgotten]
    if (changes.length === 0) return
    while (!this.#stop.signal.aborted) {
      try {
        await store.commit(changes, 'now')
        return
      } catch (error) {
        if (!(error instanceof HoldfastError) || !error.code.startsWith('STORE_')) throw error
        await new Promise<void>(resolve => {
          const cancel = after(retryMs, resolve)
          this.#stop.signal.addEventListener('abort', () => {
            cancel()
            resolve()
          })
        })
      }
    }
  }
}

type Correction = {
  readonly flip: () => void
  readonly corrects: boolean
  readonly isForGood: boolean
  readonly source: TimeSource
  readonly jumpMs: number
  readonly isFirst: boolean
}

type RuleShift = Pick<Correction, 'corrects' | 'jumpMs' | 'isFirst'> & {
  readonly offsetMs: number
  readonly trueMs: number
}
