/**
 * Whoever fails to log in must wait before the next try is even looked at [failed logins of the security model]. Two
 * counts, both of one address alone, so that nobody elsewhere is ever made to wait:
 *
 *   a user at an address    three failures are free, then 1 s, 2 s, 4 s … up to the longest. One client with an old
 *                           password waits so, and its neighbours on the same machine come in as ever.
 *   the address             so many failures a minute, of whatever users: guessing names does not pay either.
 *
 * Tries that are refused here are no failures, so a client that never gives up does not lock itself out for ever.
 */
import { serverUnavailable } from './admission.ts'
import { type BackoffRule, type Failures, afterFailure, isForgotten, none, waitMs } from './backoff.ts'
import type { BrokerLimits } from './limits.ts'
import { Remembered } from './remembered.ts'
import type { Tally } from './tally.ts'

export type LoginLimits = Pick<
  BrokerLimits,
  'failedLoginsPerMinuteMax' | 'loginBackoffMsMax' | 'loginMemoryMs' | 'addressesRememberedMax'
>

type Refusal = { readonly cause: string; readonly returnCode: number }

const freeTries = 3
const firstWaitMs = 1_000

export class Logins {
  readonly #ofUser: BackoffRule
  readonly #ofAddress: BackoffRule
  readonly #failures: Remembered<Failures>
  readonly #tally: Pick<Tally, 'note'>
  readonly #monotonicMs: () => number

  constructor(limits: LoginLimits, tally: Pick<Tally, 'note'>, monotonicMs: () => number) {
    const { failedLoginsPerMinuteMax: free, loginBackoffMsMax: msMax, loginMemoryMs: memoryMs } = limits
    this.#ofUser = { free: freeTries, firstMs: firstWaitMs, msMax, perSecond: 0, memoryMs }
    this.#ofAddress = { free, firstMs: firstWaitMs, msMax, perSecond: free / 60, memoryMs }
    // An address has one place of its own, and one for each user that was tried there.
    this.#failures = new Remembered(limits.addressesRememberedMax)
    this.#tally = tally
    this.#monotonicMs = monotonicMs
  }

  /** Must this user at this address wait? "Server unavailable" says neither that the password is right nor that it is wrong. */
  refuses(address: string, user: string | undefined): Refusal | undefined {
    const nowMs = this.#monotonicMs()
    const isWaiting = (name: string): boolean => waitMs(this.#failures.get(name) ?? none, nowMs) > 0
    if (isWaiting(address)) return { cause: 'logins_per_address', returnCode: serverUnavailable }
    if (isWaiting(userAt(address, user))) return { cause: 'login_backoff', returnCode: serverUnavailable }
    return undefined
  }

  failed(address: string, user: string | undefined): void {
    const nowMs = this.#monotonicMs()
    this.#fail(address, this.#ofAddress, nowMs)
    this.#fail(userAt(address, user), this.#ofUser, nowMs)
  }

  sweep(): void {
    const nowMs = this.#monotonicMs()
    if (this.#failures.sweep(failures => isForgotten(failures, this.#ofUser, nowMs)) > 0) this.#tellForgotten()
  }

  #tellForgotten(): void {
    this.#tally.note('logins_forgotten', 'Failed logins of long ago are forgotten', {})
  }

  #fail(name: string, rule: BackoffRule, nowMs: number): void {
    const before = this.#failures.get(name)
    if (before !== undefined && isForgotten(before, rule, nowMs)) this.#tellForgotten()
    this.#failures.set(name, afterFailure(before ?? none, rule, nowMs))
  }
}

/** No address has a line break. */
const userAt = (address: string, user = ''): string => `${address}\n${user}`
