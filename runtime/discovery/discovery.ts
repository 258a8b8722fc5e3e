/**
 * Tells Home Assistant of this gateway, on brokers where it listens.
 *
 *   quiet ──Home Assistant says on <prefix>/status that it is here──> telling, from then on, over restarts
 *
 * Promises: nobody who has no Home Assistant gets a message of it; what has not changed is not published again; entities
 * of rules and devices that are no more are taken away over there; what could not be published is published later.
 */
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Json } from '../reading.ts'
import type { Change, Receipt } from '../store/types.ts'
import { type Facts, type Topics, componentsOf, configOf, stateOf, topicsOf } from './entities.ts'

/** `auto`: as soon as Home Assistant has been here once. */
export type DiscoveryMode = 'auto' | 'on' | 'off'

export type Publish = (topic: string, payload: string) => Promise<void>

export type DiscoveryDoors = {
  readonly facts: () => Facts
  /** Publishes, retained and with QoS 1, wherever Home Assistant may listen. */
  readonly publish: Publish
  readonly store: {
    states(owner: string): ReadonlyMap<string, Json>
    commit(changes: readonly Change[]): Promise<Receipt>
  }
  readonly after: (delayMs: number, run: () => void) => () => void
  readonly log: Log
}

const owner = 'discovery'
const lookMs = 5_000

export class Discovery {
  readonly #mode: DiscoveryMode
  readonly #doors: DiscoveryDoors
  readonly #topics: Topics
  /** The payload that was published last, by topic. */
  readonly #told = new Map<string, string>()
  #stopLook: () => void = () => undefined
  #turn: Promise<void> = Promise.resolve()
  #isClosed = false
  /** Home Assistant has said that it is here, and that was not looked at yet. */
  #isHeard = false
  #trouble: string | undefined

  constructor(options: { readonly mode: DiscoveryMode; readonly prefix: string }, doors: DiscoveryDoors) {
    this.#mode = options.mode
    this.#doors = doors
    this.#topics = topicsOf(options.prefix, doors.facts().gateway)
    this.#wait(0)
  }

  /** A message on <prefix>/status. It comes anew whenever Home Assistant has started: then it is told again. */
  heard(payload: string): void {
    // Told often, it is told again once: who sends it may be a stranger.
    if (payload !== 'online' || this.#mode === 'off' || this.#isHeard) return
    this.#isHeard = true
    this.#turn = this.#turn.then(() => {
      this.#isHeard = false
      this.#told.clear()
      return this.#guarded(async () => {
        if (this.#states.get('seen') !== true) await this.#remember('seen', true)
      })
    })
    void this.look()
  }

  /** Resolves when what has changed is published, or will be tried again. */
  look(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#guarded(() => this.#tell()))
    return this.#turn
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#stopLook()
    this.#turn = this.#turn.then(() =>
      this.#guarded(async () => {
        if (this.#isOn) await this.#publish(this.#topics.availability, 'offline')
      }),
    )
    await this.#turn
  }

  get #isOn(): boolean {
    return this.#mode === 'on' || (this.#mode === 'auto' && this.#states.get('seen') === true)
  }

  get #states(): ReadonlyMap<string, Json> {
    return this.#doors.store.states(owner)
  }

  #wait(delayMs: number): void {
    this.#stopLook = this.#doors.after(delayMs, () => {
      void this.look().then(() => this.#isClosed || this.#wait(lookMs))
    })
  }

  async #tell(): Promise<void> {
    if (this.#isClosed) return
    if (!this.#isOn) return this.#takeBack()
    const facts = this.#doors.facts()
    const before = componentsTold(this.#states.get('components'))
    const components = componentsOf(facts, before)
    await this.#publish(this.#topics.config, JSON.stringify(configOf(facts, this.#topics, components)))
    await this.#publish(this.#topics.state, JSON.stringify(stateOf(facts)))
    await this.#publish(this.#topics.availability, 'online')
    const told = Object.fromEntries(Object.entries(components).map(([key, { p }]) => [key, p]))
    if (JSON.stringify(told) !== JSON.stringify(Object.fromEntries(before))) await this.#remember('components', told)
  }

  /** It was told once, and is not to be told any more: an empty message takes the device away. */
  async #takeBack(): Promise<void> {
    if (!this.#states.has('components')) return
    for (const topic of Object.values(this.#topics)) await this.#publish(topic, '')
    await this.#remember('components', undefined)
    await this.#remember('seen', undefined)
  }

  async #publish(topic: string, payload: string): Promise<void> {
    if (this.#told.get(topic) === payload) return
    await this.#doors.publish(topic, payload)
    this.#told.set(topic, payload)
  }

  async #remember(key: string, value: Json | undefined): Promise<void> {
    await this.#doors.store.commit([{ kind: 'state', owner, key, value }])
  }

  /** Once for each cause: the next look tries again. */
  async #guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work()
      this.#trouble = undefined
    } catch (error) {
      const reason = messageOf(error)
      if (reason !== this.#trouble) this.#doors.log.warn({ reason }, 'Home Assistant could not be told')
      this.#trouble = reason
    }
  }
}

/** Their platforms, by key. */
function componentsTold(value: Json | undefined): ReadonlyMap<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return new Map()
  return new Map(
    Object.entries(value).flatMap(([key, platform]) => (typeof platform === 'string' ? [[key, platform]] : [])),
  )
}
