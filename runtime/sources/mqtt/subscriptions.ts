/**
 * What we are subscribed to in the session that the broker keeps. A broker sends its retained messages for each
 * subscription that it is sent, so a session that is there and has what we want is left alone; what it has is kept in
 * the store, because a broker cannot be asked.
 */
import type { ISubscriptionGrant, MqttClient } from 'mqtt'
import { messageOf } from '../../errors.ts'
import type { Memory } from '../doors.ts'

const key = 'subscriptions'
const refusedFrom = 128

export type Wanted = {
  readonly topics: readonly string[]
  readonly qos: 0 | 1 | 2
  readonly retained: 'changed' | 'never'
}

export class Subscriptions {
  readonly #wanted: Wanted
  readonly #owner: string
  readonly #memory: Pick<Memory, 'commit' | 'states'>

  constructor(wanted: Wanted, owner: string, memory: Pick<Memory, 'commit' | 'states'>) {
    this.#wanted = wanted
    this.#owner = owner
    this.#memory = memory
  }

  /** Have we ever been subscribed there? */
  get areKnown(): boolean {
    return this.#memory.states(this.#owner).has(key)
  }

  /** Makes the session one that has what we want and nothing else. Resolves with the reason if the broker refuses. */
  async bring(client: MqttClient, isResumed: boolean, isVersion5: boolean): Promise<string | undefined> {
    const { topics, qos, retained } = this.#wanted
    const known = isResumed ? this.#known() : new Map<string, number>()
    const goes = [...known.keys()].filter(topic => !topics.includes(topic))
    const comes = topics.filter(topic => known.get(topic) !== qos)
    if (goes.length === 0 && comes.length === 0) return undefined
    // The disk knows more than the session rather than less: what it knows in vain is asked for again.
    if (goes.length > 0) await unsubscribe(client, goes)
    // 2: nothing that is retained; before MQTT 5 it comes, and is passed over.
    const options = isVersion5 && retained === 'never' ? { qos, rh: 2 } : { qos }
    const refusal = comes.length === 0 ? undefined : await subscribe(client, comes, options)
    if (refusal !== undefined) return refusal
    const value = Object.fromEntries(topics.map(topic => [topic, qos]))
    await this.#memory.commit([{ kind: 'state', owner: this.#owner, key, value }])
    return undefined
  }

  #known(): Map<string, number> {
    const value = this.#memory.states(this.#owner).get(key)
    if (typeof value !== 'object' || value === null) return new Map()
    return new Map(Object.entries(value).map(([topic, qos]) => [topic, Number(qos)]))
  }
}

function unsubscribe(client: MqttClient, topics: string[]): Promise<void> {
  return new Promise(resolve => client.unsubscribe(topics, () => resolve()))
}

function subscribe(
  client: MqttClient,
  topics: string[],
  options: { readonly qos: 0 | 1 | 2; readonly rh?: number },
): Promise<string | undefined> {
  return new Promise(resolve => {
    client.subscribe(topics, options, (error, granted) => resolve(refusalOf(error, granted, topics)))
  })
}

function refusalOf(
  error: Error | null,
  granted: readonly ISubscriptionGrant[] | undefined,
  topics: readonly string[],
): string | undefined {
  const refused = granted?.find(({ qos }) => qos >= refusedFrom)
  if (error === null && refused === undefined) return undefined
  const topic = refused?.topic ?? topics.join(', ')
  const words = `the broker refused our subscription to ${topic}: its access rules must let this user read it`
  return error === null ? words : `${words} (${messageOf(error)})`
}
