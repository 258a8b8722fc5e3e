/**
 * Random and mutated packets against a broker in this process, over real sockets, while an honest client publishes. The
 * n-th conversation follows from the seed and n alone: a number that is told makes the same bytes again.
 *
 * What must hold: nothing is thrown past the broker, what it refuses has a cause, no error is one of the program's own,
 * nothing is left when the strangers have gone, and the honest client loses neither its connection nor a reading.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { generate, parser } from 'mqtt-packet'
import { conversation } from '../../firmware-sim/hostile/grammar.ts'
import { type Broker, openBroker } from '../../runtime/broker/broker.ts'
import { defaultBrokerLimits } from '../../runtime/broker/limits.ts'
import type { Log } from '../../runtime/log.ts'
import { randomOf } from '../rigs/random.ts'
import { connectPacket, publishPacket } from './rig.ts'

export type FuzzOptions = {
  readonly seed: number
  /** Ends after the conversation in which so many are reached. */
  readonly packets: number
  /** Conversations under way at once. With one, each hang-up of the broker must have been counted by a cause. */
  readonly atOnce: number
  readonly mqtt5: boolean
  readonly onProgress?: (packets: number) => void
}

export type Fuzzed = {
  readonly packets: number
  readonly conversations: number
  readonly bytes: number
  /** Readings of the honest client, all acknowledged. */
  readonly honest: number
  readonly counters: Readonly<Record<string, number>>
  readonly problems: readonly string[]
}

/** A conversation that has been said is over after so long, if the broker has not ended it. */
const listenMs = 4
/** How long the broker may take to let go of connections that are gone. */
const letGoMs = 20_000
const problemsMost = 20

/** What a program says of its own mistakes, not of its clients'. */
const mistakes = /Cannot read|is not a function|is not defined|is not iterable|undefined|out of range|ERR_|Maximum call/

export async function fuzz({ seed, packets, atOnce, mqtt5, onProgress }: FuzzOptions): Promise<Fuzzed> {
  const problems: string[] = []
  const blame = (problem: string): void => void (problems.length < problemsMost && problems.push(problem))
  const stored = new Set<string>()
  const broker = await open(mqtt5, stored, blame)
  const port = broker.addresses()[0]?.port ?? 0
  const thrown = (error: unknown): void => blame(`thrown past the broker: ${String((error as Error).stack ?? error)}`)
  const warned = (warning: Error): void => blame(`warned: ${warning.message}`)
  for (const name of ['uncaughtException', 'unhandledRejection'] as const) process.on(name, thrown)
  process.on('warning', warned)
  // What is acknowledged must be stored by then; it need not be remembered any longer.
  const honest = await Honest.connect(port, id => {
    if (!stored.delete(id)) blame(`the acknowledged reading ${id} is missing`)
  })
  const said = { packets: 0, conversations: 0, bytes: 0 }
  const worker = async (): Promise<void> => {
    while (said.packets < packets && problems.length < problemsMost) {
      const number = said.conversations++
      const words = conversation(chanceOf(seed, number), `fuzz-${atOnce === 1 ? 0 : number % 997}`)
      said.packets += words.length
      said.bytes += words.reduce((sum, { length }) => sum + length, 0)
      const before = atOnce === 1 ? refusals(broker) : 0
      const isHungUp = await say(port, words, chanceOf(seed, number, 1))
      if (isHungUp && atOnce === 1 && !words.some(word => word.includes(0xe0)) && !(await isCounted(broker, before)))
        blame(`conversation ${number} of seed ${seed} was ended without a cause`)
      if (number % 100 === 0) onProgress?.(said.packets)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  await honest.leave()
  for (let leftMs = letGoMs; (broker.counters()['connections'] ?? 0) > 0 && leftMs > 0; leftMs -= 50) await pause(50)
  const counters = broker.counters()
  for (const name of ['connections', 'pending', 'pending_bytes'])
    if (counters[name] !== 0) blame(`${counters[name]} ${name} are left`)
  if (counters['broker_error']) blame(`${counters['broker_error']} errors that the broker did not expect`)
  if (honest.isCut) blame('the honest client was cut off')
  await broker.close()
  for (const name of ['uncaughtException', 'unhandledRejection'] as const) process.off(name, thrown)
  process.off('warning', warned)
  return { ...said, honest: honest.acknowledged, counters, problems }
}

const chanceOf = (...seeds: number[]): ((end: number) => number) => {
  const random = randomOf(...seeds)
  return end => random.below(end)
}

function open(mqtt5: boolean, stored: Set<string>, blame: (problem: string) => void): Promise<Broker> {
  const waiting: { readonly id: string | undefined; readonly done: () => void }[] = []
  const hear = (fields: object, sentence = ''): void => {
    const { cause, error } = fields as { readonly cause?: string; readonly error?: string }
    if (cause === undefined) blame(`a line without a cause: ${sentence}`)
    if (error !== undefined && mistakes.test(error)) blame(`${cause}: ${error}`)
  }
  const log: Log = { debug: hear, info: hear, warn: hear, error: hear, child: () => log }
  return openBroker({
    listen: [{ host: '127.0.0.1', port: 0 }],
    limits: {
      ...defaultBrokerLimits,
      connectTimeoutMs: 1_000,
      drainTimeoutMs: 2_000,
      // All strangers come from this machine, as fast as they can.
      connectsPerSecondMax: 1e12,
      connectsPerSecondPerAddressMax: 1e12,
    },
    mqtt5,
    now: () => Date.now(),
    log,
    intake: {
      wants: topic => topic.startsWith('sensors/'),
      accept: (publish, done) => {
        waiting.push({ id: publish.client === 'honest' ? publish.payload.toString() : undefined, done })
      },
      flush: () => {
        setImmediate(() => {
          for (const { id, done } of waiting.splice(0)) {
            if (id !== undefined) stored.add(id)
            done()
          }
        })
      },
    },
  })
}

/** Says it all in one piece or several, listens a little, and goes. True if the broker was the first to hang up. */
async function say(port: number, words: readonly Buffer[], chance: (end: number) => number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  let isGone = false
  socket.on('error', () => socket.destroy())
  socket.on('close', () => (isGone = true))
  socket.resume()
  await opened(socket)
  if (chance(2) === 0) {
    socket.write(Buffer.concat(words))
  } else {
    for (const word of words) {
      if (isGone) break
      socket.write(word)
      if (chance(4) === 0) await new Promise(resolve => setImmediate(resolve))
    }
  }
  await pause(listenMs)
  const isHungUp = isGone
  if (isGone) return isHungUp
  const closed = once(socket, 'close')
  if (chance(4) === 0) socket.resetAndDestroy()
  else socket.destroySoon()
  await closed
  return isHungUp
}

function opened(socket: Socket): Promise<void> {
  return new Promise(resolve => {
    socket.once('connect', () => resolve())
    socket.once('close', () => resolve())
  })
}

const refusals = (broker: Broker): number =>
  Object.entries(broker.counters()).reduce((sum, [name, count]) => sum + (name.startsWith('refused_') ? count : 0), 0)

/** Some causes are counted a turn after the connection has closed. */
async function isCounted(broker: Broker, before: number): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    if (refusals(broker) > before) return true
    await pause(5)
  }
  return false
}

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** Publishes one reading after the other, each once the one before it is acknowledged. */
class Honest {
  acknowledged = 0
  isCut = false
  readonly #socket: Socket
  readonly #onAcknowledged: (id: string) => void
  #sent = 0
  #isLeaving = false
  #onWay: string | undefined
  #left: () => void = () => undefined

  static async connect(port: number, onAcknowledged: (id: string) => void): Promise<Honest> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    const honest = new Honest(socket, onAcknowledged)
    socket.write(generate(connectPacket({ clientId: 'honest' })))
    return honest
  }

  constructor(socket: Socket, onAcknowledged: (id: string) => void) {
    this.#socket = socket
    this.#onAcknowledged = onAcknowledged
    const packets = parser()
    packets.on('packet', ({ cmd }) => {
      if (cmd === 'puback' && this.#onWay !== undefined) {
        this.acknowledged += 1
        this.#onAcknowledged(this.#onWay)
      }
      this.#onWay = undefined
      if (this.#isLeaving) this.#left()
      else setTimeout(() => this.#publish(), 1)
    })
    socket.on('data', chunk => packets.parse(chunk))
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      this.isCut = !this.#isLeaving
      this.#left()
    })
  }

  /** Once what is on its way is acknowledged. */
  async leave(): Promise<void> {
    this.#isLeaving = true
    if (this.#onWay !== undefined && !this.isCut) await new Promise<void>(resolve => (this.#left = resolve))
    this.#socket.destroy()
  }

  #publish(): void {
    if (this.#isLeaving || this.#socket.destroyed) return
    this.#onWay = `honest-${this.#sent++}`
    this.#socket.write(generate(publishPacket('sensors/honest/t', this.#onWay, 1, 1 + (this.#sent % 65_535))))
  }
}
