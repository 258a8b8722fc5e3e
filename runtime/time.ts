/**
 * The time of a gateway, put together: the machine's clocks, the board's clock that every room goes by, the stamps that
 * follow it, and the keeper that looks after them.
 */
import { randomUUID } from 'node:crypto'
import { shiftRuleStates } from './alerting/shift.ts'
import { type BoardClock, type Clocks, boardClock } from './clock/board.ts'
import { type Boot, currentBoot, machineFacts } from './clock/facts.ts'
import { type HybridClock, hybridClock } from './clock/hybrid.ts'
import type { ClockRules, MachineFacts } from './clock/trust.ts'
import { monotonicMs, wallMs } from './clock/wall.ts'
import type { Log } from './log.ts'
import type { ClockDoor } from './replication/clock-door.ts'
import { type Time, systemTime } from './replication/time.ts'
import type { Store } from './store/store.ts'
import { Timekeeper } from './timekeeping/keeper.ts'

/** The machine's clocks, and what it shows of them: tests hold them in their hand. */
export type TimeDoors = Clocks & { readonly boot: Boot; readonly facts: () => Promise<MachineFacts> }

export const machineTime = async (): Promise<TimeDoors> => ({
  wallMs,
  monotonicMs,
  boot: await currentBoot(randomUUID),
  facts: () => machineFacts(),
})

export type GatewayTime = {
  readonly doors: TimeDoors
  /** The time that all rooms go by, and the stamps that follow it. */
  readonly clock: BoardClock
  readonly stamps: HybridClock
  /** The same, for rooms that also wait. */
  readonly board: Time
}

export function gatewayTime(doors: TimeDoors, { maxAheadMs }: ClockRules): GatewayTime {
  const clock = boardClock(doors, doors.boot)
  const trustedMs = (): number | undefined => (clock.isTrusted ? clock.now() : undefined)
  const stamps = hybridClock(clock.now, trustedMs, maxAheadMs)
  return { doors, clock, stamps, board: { ...systemTime, wallMs: clock.now } }
}

/** Resolves once it is known whether the clock can be trusted, and what follows from that is on the disk. */
export function keepTime(
  { doors, clock, stamps }: GatewayTime,
  rules: ClockRules,
  store: Store,
  log: Log,
): Promise<Timekeeper> {
  return Timekeeper.open(rules, {
    store,
    stamps,
    clock,
    boot: doors.boot,
    clocks: doors,
    after: systemTime.after,
    facts: doors.facts,
    shiftRules: (offsetMs, laterThanMs) => shiftRuleStates(store, offsetMs, laterThanMs),
    log,
  })
}

/** What replication is told of the time, and tells. */
export function replicationTime({ clock, board }: GatewayTime, { maxAheadMs }: ClockRules, keeper: Timekeeper) {
  const door: ClockDoor = { isTrusted: () => clock.isTrusted, maxAheadMs, heard: seen => keeper.heard(seen) }
  return { time: board, clock: door }
}
