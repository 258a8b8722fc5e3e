/**
 * Runs attacks against one broker, each at its own rate. Promises never more connections or acts per second than were
 * asked for, nothing made up for after a pause of this process, and that a stopped siege leaves no socket behind.
 */
import { fraction, hashNumber, hashText } from '../chance.ts'
import type { Attack, Attacker } from './attack.ts'
import { type AttackCounts, noAttackCounts } from './counts.ts'
import { type Connect, connect } from './packets.ts'
import { type Target, Wire } from './wire.ts'

export type SiegeOptions = {
  readonly target: Omit<Target, 'from'> & { readonly user: string | undefined; readonly password: string | undefined }
  /** Addresses of this machine from which attackers connect, in turn; left out, the system chooses. */
  readonly from?: readonly string[] | undefined
  /** Client ids that belong to honest devices. */
  readonly victims?: readonly string[] | undefined
  readonly seed: number
  /** Milliseconds; must not run backwards. */
  readonly now: () => number
}

export type Siege = {
  readonly counts: () => AttackCounts[]
  /** Cuts every connection. */
  readonly stop: () => void
}

/** Fine enough that a thousand acts a second come in tens. */
const tickMs = 10
/** After this process was held up, at most this much is made up for. */
const catchUpMs = 50

export function besiege(attacks: readonly Attack[], options: SiegeOptions): Siege {
  const bands = attacks.map(attack => new Band(attack, options))
  let lastMs = options.now()
  const ticker = setInterval(() => {
    const nowMs = options.now()
    const passedMs = Math.min(nowMs - lastMs, catchUpMs)
    lastMs = nowMs
    for (const band of bands) band.advance(passedMs)
  }, tickMs)
  return {
    counts: () => bands.map(band => ({ ...band.counts, answers: { ...band.counts.answers } })),
    stop: () => {
      clearInterval(ticker)
      for (const band of bands) band.leave()
    },
  }
}

/** The attackers of one attack, who act in turn. */
class Band {
  readonly counts: AttackCounts
  readonly #attack: Attack
  readonly #attackers: One[]
  #due = 0
  #next = 0

  constructor(attack: Attack, options: SiegeOptions) {
    this.#attack = attack
    this.counts = noAttackCounts(attack.name, attack.connections)
    this.#attackers = Array.from({ length: attack.connections }, (_, index) => new One(attack, index, options, this))
  }

  advance(passedMs: number): void {
    this.#due += (passedMs * this.#attack.perSecond) / 1_000
    for (; this.#due >= 1; this.#due--) {
      const attacker = this.#attackers[this.#next]
      this.#next = (this.#next + 1) % this.#attackers.length
      if (!attacker) return
      this.counts.acts += 1
      this.#attack.act(attacker)
      attacker.turn += 1
    }
  }

  leave(): void {
    for (const attacker of this.#attackers) attacker.leave()
  }
}

class One implements Attacker {
  readonly index: number
  readonly clientId: string
  readonly user: string | undefined
  readonly password: string | undefined
  readonly victims: readonly string[]
  turn = 0
  readonly #target: Target
  readonly #band: Band
  readonly #dice: number
  #draws = 0
  #wire: Wire | undefined
  #hasConnected = false

  constructor(attack: Attack, index: number, options: SiegeOptions, band: Band) {
    const { target, seed, from = [], victims = [] } = options
    this.index = index
    this.victims = victims
    this.clientId = `hostile-${attack.name}-${index}`
    this.user = target.user
    this.password = target.password
    this.#target = { host: target.host, port: target.port, from: from[index % from.length] }
    this.#band = band
    this.#dice = hashText(seed, this.clientId)
  }

  readonly below = (end: number): number => Math.floor(fraction(hashNumber(this.#dice, this.#draws++)) * end)

  readonly wire = (): Wire => {
    if (this.#wire && !this.#wire.isGone) return this.#wire
    this.#hasConnected = false
    this.#wire = new Wire(this.#target, this.#band.counts)
    return this.#wire
  }

  readonly guest = (wish: Partial<Connect> = {}): Wire | undefined => {
    const wire = this.wire()
    if (!this.#hasConnected) {
      this.#hasConnected = true
      wire.send(connect({ clientId: this.clientId, user: this.user, password: this.password, ...wish }))
    }
    return wire.isWelcomed ? wire : undefined
  }

  leave(): void {
    this.#wire?.cut()
  }
}
