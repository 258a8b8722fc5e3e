/**
 * One connection: a guard between the socket and aedes, which reads and writes this stream as if it were the socket.
 *
 *   socket -> frames -> QoS 0 and 1 readings, not retained ------> intake -> PUBACKs of one commit in one write
 *                    -> everything else -> aedes -> `enter` -----> intake -> aedes acknowledges
 *
 * Promises: nothing is acknowledged before the intake says it is durable [I1, A1, MQTT-4.3.2-2]; publishes keep their
 * order on both ways, and so do their acknowledgements; a frame is judged at its header, before anything is held for
 * it [A2]; at most one incomplete frame, one chunk and the pending bytes of the limits are in memory; and a client
 * that does not read is dropped after the drain timeout [A7].
 * It must never emit an 'error': a stranger's socket cannot be allowed to end the process.
 */
import { messageOf } from '../errors.ts'
import type { Visitor } from './access.ts'
import { Acks } from './acks.ts'
import type { Guest, Hall } from './engine.ts'
import { Frames, frameTypes, isAsking } from './frames.ts'
import { Line } from './line.ts'
import { Outward, isOfSlowReader } from './outward.ts'
import { Pace } from './pace.ts'
import { Passage } from './passage.ts'
import type { Publish, Qos } from './publish.ts'
import { Share } from './share.ts'
import { type MqttVersion, connectShape, endsDelivery, packetFault } from './shape.ts'
import { Heads } from './publish-head.ts'
import { deniedBytes, disconnectBytes, disconnectReason, refusalBytes } from './reasons.ts'
import type { Properties } from './properties.ts'
import type { Caller, Wire } from './wire.ts'

/**
 * `connect`: waits for CONNECT. `greeting`: waits for CONNACK; what follows stays where it is. `open`. `leaving`: DISCONNECT
 * or the end of the socket came, and what was accepted is still on its way. `shut`: nothing is read any more.
 */
type Stage = 'connect' | 'greeting' | 'open' | 'leaving' | 'shut'

const unacceptableVersion = 1

export class Connection extends Outward {
  visitor: Visitor | undefined // once it is known whose it is
  userName: string | undefined // as its CONNECT has it, true or not: for the log
  /** Of its will, in MQTT 5. */
  willProperties: Properties | undefined
  /** In MQTT 5: what its publishes say in front of their payloads. */
  heads: Heads | undefined
  readonly #socket: Wire
  readonly #hall: Hall
  readonly #frames: Frames
  readonly #line = new Line()
  #stage: Stage = 'connect'
  #version: MqttVersion = 4
  #guest: Guest | undefined
  /** The frame that says good-bye; it waits until the line is empty, so that no acknowledgement is lost. */
  #farewell: Buffer | null = null
  /** PUBLISH frames given to aedes that have not come back to `enter` yet: while there are any, all go that way. */
  #onLongWay = 0
  readonly #toAedes = new Passage(bytes => this.push(bytes))
  readonly #share: Share
  readonly #acks: Acks
  readonly #pace: Pace
  /** The client's side of the socket has ended. */
  #ended = false
  readonly #waiter = { resume: () => this.#scanSoon() }
  #scanning = false
  #reliefAsked = false

  constructor(caller: Caller, hall: Hall) {
    super(caller, hall)
    const socket = caller.wire
    this.#socket = socket
    this.#hall = hall
    this.#frames = new Frames(hall.limits)
    this.#share = new Share(hall.gate, hall.limits.pendingBytesPerConnectionMax, () => this.#reliefSoon())
    this.#acks = new Acks(hall.afterTurn, (bytes, count) => {
      if (this.destroyed) return
      hall.tally.add('acknowledged', count)
      this.write(bytes)
    })
    this.#pace = new Pace(this.#line, hall.limits, () => {
      this.#guest?.touch() // what it has sent lies in the socket: its silence is ours
      this.#scanSoon()
    })
    socket.on('data', (chunk: Buffer) => {
      hall.traffic.bytesReceived += chunk.length
      this.#frames.add(chunk)
      this.#scan()
    })
    socket.on('end', () => {
      this.#ended = true
      this.#scan()
    })
    socket.on('error', () => this.destroy())
    socket.on('close', () => this.destroy())
  }

  get clientId(): string {
    return this.#guest?.id ?? ''
  }

  /** Who this is, for whoever reads the log and knows users rather than client ids. */
  get who(): Record<'client' | 'user' | 'address', string | undefined> {
    return { client: this.clientId, user: this.userName, address: this.address }
  }

  /** CONNACK was sent: what the client sent after CONNECT may be read now. */
  welcome(guest: Guest): void {
    if (this.#stage !== 'greeting') return
    this.#guest = guest
    this.#pace.begin(this.#hall.meters.of(guest.id))
    this.#stage = 'open'
    this.#socket.welcomed?.()
    this.#scan()
  }

  /** Answers CONNECT with a refusal; the caller closes [MQTT-3.2.2-5]. */
  sendRefusal(returnCode: number): void {
    if (!this.destroyed) this.write(refusalBytes(this.#version, returnCode))
  }

  /** Tells a client of MQTT 5 why it is about to be closed; others cannot be told [MQTT-3.14.0-1]. */
  tellWhy(cause: string): void {
    if (this.#version < 5 || this.#guest === undefined || this.destroyed) return
    if (!isOfSlowReader(cause)) this.outlet.write(disconnectBytes(disconnectReason(cause)), () => undefined)
  }

  /** Closes because of what the client did, and counts why. */
  override refuse(cause: string, topic?: string): void {
    if (this.destroyed) return
    const about = { ...this.who, topic }
    this.#hall.tally.warn(`refused_${cause}`, 'A client was refused and its connection closed', about)
    this.tellWhy(cause)
    this.destroy()
  }

  /** Reads nothing more; what was accepted goes on to its end. */
  shut(): void {
    this.#stage = 'shut'
    this.#socket.pause()
  }

  /**
   * A publish that came by aedes takes its place in the line. `settling` starts what it has to wait for;
   * `callback` gives it back to aedes, which then acknowledges.
   */
  enter(
    publish: Publish,
    settling: ((settle: (error?: Error) => void) => void) | undefined,
    callback: (error?: Error) => void,
  ): void {
    this.#onLongWay = Math.max(0, this.#onLongWay - 1)
    const charge = this.#share.charge(publish.payload, publish.payload.length)
    if (!this.#scanning) this.#share.endScan()
    const place = this.#line.join(error => {
      this.#share.release(charge)
      this.#acks.flush() // those before this one, because aedes is about to write its own
      if (error !== undefined) this.#fail(error)
      callback(error)
      this.#leaveIfDone()
    })
    if (settling === undefined) this.#line.settle(place, undefined)
    else settling(error => this.#line.settle(place, error))
  }

  override _read(): void {
    if (!this.#toAedes.isFull) return
    this.#toAedes.isFull = false
    this.#scanSoon()
  }

  protected override hasRoomAgain(): void {
    this.#scanSoon()
  }

  override _destroy(_error: Error | null, callback: (error: null) => void): void {
    this.#stage = 'shut'
    this.#hall.gate.leave(this.#waiter)
    this.#pace.stop()
    this.outlet.close()
    callback(null)
  }

  /** Never at once: the intake must not be called again from within its own `done`. */
  #scanSoon(): void {
    this.#hall.afterTurn(() => this.#scan())
  }

  /** Looks at every frame that has arrived, until something says to wait. */
  #scan(): void {
    if (this.#scanning) return
    this.#scanning = true
    try {
      if (!this.#mustWait()) while (this.#isListening() && !this.#pace.isHeld && this.#frames.next()) this.#dispatch()
      this.#toAedes.flush()
      if (this.#frames.fault !== undefined) this.refuse(this.#frames.fault)
    } catch (error) {
      this.#hall.tally.warn('broker_error', 'A connection was closed by an unexpected error', {
        error: messageOf(error),
      })
      this.destroy()
    } finally {
      this.#scanning = false
    }
    if (this.#share.endScan()) {
      this.#guest?.touch()
      this.#hall.flush()
    }
    if (this.#ended && this.#isListening() && !this.#mustWait()) this.#leave(null)
    this.#pauseOrResume()
    this.#leaveIfDone()
  }

  #isListening(): boolean {
    return (this.#stage === 'open' || this.#stage === 'connect') && !this.#toAedes.isFull && !this.destroyed
  }

  /** Too much is pending, the client is too fast, or it does not read what it is sent. */
  #mustWait(): boolean {
    if (this.#share.full || this.writableNeedDrain || this.#pace.isHeld) return true
    if (!this.#hall.gate.full) return false
    this.#hall.gate.wait(this.#waiter)
    return true
  }

  #pauseOrResume(): void {
    if (this.destroyed) return
    const wait = !this.#isListening() || this.#mustWait()
    if (wait === this.#socket.isPaused()) return
    if (wait) {
      if (this.#stage === 'open') this.#pace.tellPause(this.#hall.tally, this.clientId)
      this.#socket.pause()
    } else {
      this.#socket.resume()
    }
  }

  #dispatch(): void {
    const { type, buffer, body, end } = this.#frames
    this.#hall.traffic.received(type)
    if (isAsking(type)) this.#pace.take(end - this.#frames.start)
    if (this.#stage === 'connect') return this.#connect()
    if (type === frameTypes.publish) return this.#publish()
    const fault = packetFault(type, buffer, body, end, this.#version)
    if (type === frameTypes.connect)
      this.refuse('second_connect') // [MQTT-3.1.0-2]
    else if (fault !== undefined) this.refuse(fault)
    else if (type === frameTypes.disconnect) this.#leave(this.#frame())
    else if (type !== frameTypes.pingreq && this.#number(body) === 0) this.refuse('message_id')
    else {
      if (this.#version === 5 && endsDelivery(type, buffer, body, end)) this.#guest?.acknowledged()
      this.#pass()
    }
  }

  #connect(): void {
    const { buffer, type, body, end } = this.#frames
    if (type !== frameTypes.connect) return this.refuse('not_connect') // [MQTT-3.1.0-1]
    // The level follows the protocol's name; its top bit marks a bridge, by custom.
    const version = (buffer[body + 2 + this.#number(body)] ?? 0) & 0x7f
    if (version !== 3 && version !== 4 && !(version === 5 && this.#hall.speaks5)) {
      this.sendRefusal(unacceptableVersion) // [MQTT-3.1.2-2, A10]
      // Whoever speaks two versions tries the newer one first, so this is how a gateway of ours begins with a hub.
      this.#hall.tally.note('refused_protocol_version', 'A client was asked to speak MQTT 3.1.1', {
        address: this.address,
        version,
      })
      this.destroy()
      return
    }
    this.#version = this.#frames.version = version
    const { fault, willProperties } = connectShape(buffer, body, end, version)
    if (fault !== undefined) return this.refuse(fault)
    this.willProperties = willProperties
    if (version === 5) this.heads = new Heads(this.#hall.limits.topicAliasesMax)
    this.#stage = 'greeting'
    // A copy: the will in it is kept as long as the client, and a slice would keep the whole chunk.
    this.#toAedes.pushNow(Buffer.from(this.#frame()))
  }

  #publish(): void {
    const { buffer, body, end, flags } = this.#frames
    const qos = ((flags >> 1) & 3) as Qos
    const topicEnd = body + 2 + this.#number(body)
    const headEnd = qos === 0 ? topicEnd : topicEnd + 2
    if (end - body < 2 || headEnd > end) return this.refuse('packet_length')
    const messageId = qos === 0 ? 0 : this.#number(topicEnd)
    if (qos > 0 && messageId === 0) return this.refuse('message_id') // [MQTT-2.3.1-1]
    const head = this.heads?.read(buffer, headEnd, end, buffer.subarray(body + 2, topicEnd))
    if (head?.fault !== undefined) return this.refuse(head.fault)
    const payloadStart = head?.payloadStart ?? headEnd
    const { topics } = this.#hall
    const topic = head ? topics.find(head.topic, 0, head.topic.length) : topics.find(buffer, body + 2, topicEnd)
    if (topic.fault !== undefined) return this.refuse(topic.fault)
    const guest = this.#guest
    if (guest === undefined) return
    if (!guest.visitor.mayPublish(topic.name)) return this.#deny(topic.name, qos, messageId)
    if (!topic.wanted || qos === 2 || (flags & 1) === 1 || this.#onLongWay > 0) {
      this.#onLongWay += 1
      const bare = head && this.heads?.bare(head, flags, messageId, buffer.subarray(payloadStart, end))
      if (bare === undefined) return this.#pass()
      this.#toAedes.flush()
      return this.#toAedes.pushNow(bare)
    }
    const publish: Publish = {
      client: guest.id,
      topic: topic.name,
      payload: buffer.subarray(payloadStart, end),
      qos,
      retain: false,
      arrivalMs: this.#hall.now(),
      properties: head?.properties,
      keep: undefined,
      mayName: guest.visitor.mayName,
    }
    const charge = this.#share.charge(buffer, end - this.#frames.start)
    const place = this.#line.join(error => {
      if (error === undefined) {
        if (qos === 1 && !this.destroyed) this.#acks.later(messageId) // [MQTT-4.3.2-2]
        if (this.#hall.heard(topic)) guest.forward(publish, () => this.#share.release(charge))
        else this.#share.release(charge)
      } else {
        this.#share.release(charge)
        this.#fail(error)
      }
      this.#leaveIfDone()
    })
    const settle = (error?: Error): void => this.#line.settle(place, error)
    if (qos === 1 && this.#hall.queues(topic)) this.#hall.acceptKept(publish, true, settle)
    else this.#hall.accept(publish, settle)
  }

  /** In MQTT 5 the client hears of it, and stays; before, all that can be said is good-bye. */
  #deny(topic: string, qos: Qos, messageId: number): void {
    if (this.#version < 5) return this.refuse('publish_denied', topic)
    const about = { ...this.who, topic }
    this.#hall.tally.warn('refused_publish_denied', 'A publish was refused: its client may not publish there', about)
    if (qos === 0) return
    const place = this.#line.join(() => {
      this.#acks.flush()
      if (!this.destroyed) this.write(deniedBytes(qos, messageId))
      this.#leaveIfDone()
    })
    this.#line.settle(place, undefined)
  }

  /** [I1]: not even what came before it and is durable is acknowledged any more; the client sends again. */
  #fail(error: Error): void {
    if (this.destroyed) return
    this.#hall.tally.warn('not_durable', 'A publish could not be stored: its connection was closed unacknowledged', {
      client: this.clientId,
      error: messageOf(error),
    })
    this.tellWhy('not_durable')
    this.destroy()
  }

  /** Something was done. A paused client's packets lie in the socket because we do not read them: its silence is ours. */
  #reliefSoon(): void {
    if (this.#reliefAsked || this.destroyed || !this.#socket.isPaused()) return
    this.#reliefAsked = true
    this.#hall.afterTurn(() => {
      this.#reliefAsked = false
      this.#guest?.touch()
      if (this.#share.isHalfEmpty) this.#scan()
    })
  }

  #pass(): void {
    this.#toAedes.add(this.#frames.buffer, this.#frames.start, this.#frames.end)
  }

  #frame(): Buffer {
    return this.#frames.buffer.subarray(this.#frames.start, this.#frames.end)
  }

  #number(at: number): number {
    return ((this.#frames.buffer[at] ?? 0) << 8) | (this.#frames.buffer[at + 1] ?? 0)
  }

  /** The client goes. `farewell` is its DISCONNECT, or null if the socket ended without one. */
  #leave(farewell: Buffer | null): void {
    if (this.#stage === 'shut' || this.#stage === 'leaving') return
    this.#stage = 'leaving'
    this.#farewell = farewell
    this.#leaveIfDone()
  }

  /** Lets the farewell pass once all that came before it is settled and written. */
  #leaveIfDone(): void {
    if (this.#stage !== 'leaving' || this.#line.length > 0 || this.#onLongWay > 0) return
    this.#stage = 'shut'
    // aedes' own answers are still a few turns away; a DISCONNECT makes it drop the connection at once.
    setImmediate(() => {
      if (this.destroyed) return
      this.push(this.#farewell)
      setTimeout(() => this.destroy(), this.#hall.limits.drainTimeoutMs).unref()
    })
  }
}
