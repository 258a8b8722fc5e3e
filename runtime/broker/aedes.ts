/**
 * The only file, with aedes-engines.ts, that knows aedes: it makes one, answers its questions, and uses the few of its
 * inner parts that have no public form (named in `Inner`, the same in aedes 1.2.0 and 2.0.0-beta.1).
 *
 * aedes acknowledges a QoS 1 publish right after `authorizePublish` and before it publishes [F6, A1], so that hook is
 * where a reading is stored. Taking it over removes aedes' own protection of `$SYS`; `topics.ts` has taken that over.
 */
import type { EventEmitter } from 'node:events'
import { Readable } from 'node:stream'
import type { Aedes, AedesOptions, AedesPublishPacket, AuthenticateError, Client, PublishPacket } from 'aedes'
import { messageOf } from '../errors.ts'
import { connectRefusal, notAuthorized, serverUnavailable, subscriptionFault } from './admission.ts'
import { createEngine, deliverQueued, deliveryOf, mendClient, optionsFor5 } from './aedes-engines.ts'
import { causeOf } from './causes.ts'
import { Connection } from './connection.ts'
import { Delivery } from './delivery.ts'
import { shortenKeepalive } from './keepalive.ts'
import type { Engine, Hall } from './engine.ts'
import { onceOnly } from './once-only.ts'
import type { Properties } from './properties.ts'
import type { Message, Publish } from './publish.ts'
import { Persistence } from './persistence.ts'
import type { Sessions } from './sessions.ts'
import { systemPrefix, type SystemTopics } from './system-topics.ts'
import type { Topic } from './topic-cache.ts'
import { takeWill } from './will-door.ts'
import type { Will } from './wills.ts'

type Matcher = { match(topic: string): readonly unknown[] }
type Inner = {
  readonly clients: Readonly<Record<string, Client | undefined>>
  readonly mq: {
    readonly _matcher: Matcher
    on(filter: string, listener: unknown, done?: () => void): unknown
    removeListener(filter: string, listener: unknown, done?: () => void): unknown
  }
}
/** A message with our own form of what a client of MQTT 5 said besides; aedes hands it on as it is. */
type Told = { properties?: Properties | undefined }
type InnerClient = Omit<Client, 'clean'> & {
  clean: boolean
  readonly _cleanStart?: boolean
  readonly sessionExpiryInterval?: number
  readonly receiveMaximum?: number
  readonly maximumPacketSize?: number
  readonly _will?: {
    readonly topic: string
    properties?: (Partial<Properties> & { willDelayInterval?: number | undefined }) | undefined
  }
  readonly _keepaliveTimer: NodeJS.Timeout | null
  readonly broker: Aedes
  readonly subscriptions: Readonly<Record<string, unknown>>
}

const noBytes = Buffer.alloc(0)

export type OpenedEngine = Engine & { readonly handle: (connection: Connection) => void }

export async function openAedes(
  hall: Hall,
  sessions: Sessions,
  system: SystemTopics | undefined,
): Promise<OpenedEngine> {
  const { limits } = hall
  const options: AedesOptions = {
    id: sessions.brokerId,
    // What waits for a session is handed to its client by `deliverQueued`, not by aedes.
    persistence: Object.assign(new Persistence(sessions, system), { outgoingStream: () => Readable.from([]) }),
    // aedes publishes the wills of dead brokers after four of these: of our clients before the last restart.
    heartbeatInterval: limits.willGraceMs / 4,
    concurrency: limits.deliveriesMax,
    connectTimeout: limits.connectTimeoutMs,
    // The connection's own timer comes first; this one only frees aedes' callbacks if that should fail.
    drainTimeout: limits.drainTimeoutMs * 2,
    queueLimit: limits.packetsBeforeConnackMax,
    maxInflightInbound: limits.inflightQos2Max,
    // MQTT 3.1 asks for at most 23 characters; devices in the field have more, and mosquitto lets them.
    maxClientsIdLength: limits.nameBytesMax,
    ...(hall.speaks5 ? optionsFor5(limits) : {}),
    ...admissionHooks(hall, sessions),
    ...accessHooks(hall, sessions),
  }
  const aedes = await createEngine(options, hall.speaks5)
  const inner = aedes as unknown as Inner
  const subscriptions = watchSubscriptions(inner)
  const judged = (topic: Topic): Topic => judge(topic, inner.mq._matcher, subscriptions, sessions)
  report(aedes, hall)
  aedes.on('connackSent', (packet, client) => {
    const connection = connectionOf(client)
    if (!connection?.visitor || (packet.returnCode ?? packet.reasonCode) !== 0) return
    // What it may do has changed since its login: `review` did not see it yet.
    if (!connection.visitor.isCurrent()) return client.close()
    deliveryOf(client).open()
    connection.welcome({
      id: client.id,
      visitor: connection.visitor,
      touch: () => (client as InnerClient)._keepaliveTimer?.refresh(),
      forward: (publish, done) => forward(aedes, hall, client, publish, done),
      acknowledged: () => deliveryOf(client).acknowledged(),
    })
  })
  aedes.on('keepaliveTimeout', client => connectionOf(client)?.tellWhy('keepalive'))
  aedes.on('clientReady', client => {
    const hasRoom = (): boolean => deliveryOf(client).hasRoom
    if (!client.clean) sessions.ready(client.id, deliverQueued(aedes, client, sessions), hasRoom)
  })
  return {
    handle: connection => {
      mendClient(aedes, aedes.handle(connection), new Delivery(connection, limits, hall.tally))
    },
    connected: () => Object.keys(inner.clients),
    subscriptions: () => {
      const clients = Object.values(inner.clients) as (InnerClient | undefined)[]
      return clients.reduce((sum, client) => sum + Object.keys(client?.subscriptions ?? {}).length, 0)
    },
    disconnect: client => inner.clients[client]?.close(),
    review: () => {
      for (const client of Object.values(inner.clients))
        if (client && connectionOf(client)?.visitor?.isCurrent() !== true) client.close()
    },
    publish: message =>
      new Promise((resolve, reject) => {
        // An object of its own, by which what is kept of it is known again.
        const packet: PublishPacket = { cmd: 'publish', dup: false, ...message, payload: message.payload.subarray() }
        const publish = toPublish('', packet, 0)
        hall.acceptKept(publish, false, failure => {
          if (failure) return reject(failure)
          aedes.publish(packet, error => (error ? reject(error) : resolve()))
        })
      }),
    subscribe: (filter, handler) => subscribe(aedes, hall, filter, handler),
    heard: topic => judged(topic).heard,
    queues: topic => judged(topic).queued,
    close: () => new Promise(resolve => aedes.close(() => resolve())),
  }
}

type PreConnect = NonNullable<AedesOptions['preConnect']>
type Authenticate = NonNullable<AedesOptions['authenticate']>

function admissionHooks(
  { limits, guests, logins, tally }: Hall,
  sessions: Sessions,
): Pick<AedesOptions, 'preConnect' | 'authenticate'> {
  const preConnect: PreConnect = (client, packet, callback) => {
    const refusal = connectRefusal(packet, limits)
    if (!refusal) {
      shortenKeepalive(packet, limits, tally, connectionOf(client)?.address)
      return callback(null, true)
    }
    if (refusal.returnCode !== undefined) connectionOf(client)?.sendRefusal(refusal.returnCode)
    callback(new RefusedError(refusal.cause), false)
  }
  const authenticate: Authenticate = (client, user, password, done) => {
    const refuse = ({ cause, returnCode }: { readonly cause: string; readonly returnCode: number }): void =>
      done(new RefusedError(cause, returnCode) as unknown as AuthenticateError, false)
    const connection = connectionOf(client)
    if (!connection) return refuse({ cause: 'login', returnCode: serverUnavailable })
    const { address, place, certificateName } = connection
    // Strangers without a name must not make those wait who are named by their certificate.
    const name = user === undefined || user === '' ? certificateName : user
    connection.userName = name
    const refusal = logins.refuses(place, name)
    if (refusal) return refuse(refusal)
    const isGone = (): boolean => connection.destroyed
    guests.admit({ user, password, client: client.id, certificateName, address, isGone }, (visitor, reason) => {
      if (reason?.cause === 'login') logins.failed(place, name)
      if (visitor === undefined) return refuse(reason ?? { cause: 'login', returnCode: serverUnavailable })
      if (isGone()) return guests.leave(client.id)
      connection.once('close', () => guests.leave(client.id))
      connection.visitor = visitor
      const will = (client as InnerClient)._will
      if (will && !visitor.mayPublish(will.topic)) return refuse({ cause: 'will_denied', returnCode: notAuthorized })
      const room = enter(client as InnerClient, connection, sessions)
      done(room ? null : (new RefusedError('sessions', serverUnavailable) as unknown as AuthenticateError), room)
    })
  }
  return { preConnect, authenticate }
}

/** Its session begins or goes on, and it can be told things. False if there is no room for its session. */
function enter(client: InnerClient, connection: Connection, sessions: Sessions): boolean {
  const delivery = deliveryOf(client)
  const { version, receiveMaximum = 65_535, maximumPacketSize: packetBytesMax } = client
  const listener = { version: version === 5 ? version : 4, receiveMaximum, packetBytesMax } as const
  if (version === 5) prepare5(client, connection)
  if (client.clean) {
    delivery.begin(listener, 1)
    connection.once('close', () => setImmediate(() => sessions.cleanIncoming(client)))
    return true
  }
  const expiryMs = (): number | undefined => (version === 5 ? (client.sessionExpiryInterval ?? 0) * 1_000 : undefined)
  const startsClean = client._cleanStart === true
  const session = sessions.arrive(client.id, { startsClean, expiryMs: expiryMs(), client, visitor: connection.visitor })
  if (!session) return false
  delivery.begin(listener, session.nextMessageId)
  // DISCONNECT may have changed how long it is kept [MQTT-3.14.2.2.2].
  connection.once('close', () => sessions.depart(client.id, session, expiryMs()))
  return true
}

function prepare5(client: InnerClient, connection: Connection): void {
  // A session that was there goes on, though it ends with this connection [MQTT-3.1.2-5].
  if (client._cleanStart !== true) client.clean = false
  const will = client._will
  if (!will) return
  // The delay is for aedes; what goes out with the will are the bytes it came with.
  const { willDelayInterval } = will.properties ?? {}
  will.properties = { bytes: noBytes, expirySeconds: undefined, ...connection.willProperties, willDelayInterval }
}

type AuthorizePublish = NonNullable<AedesOptions['authorizePublish']>
type AuthorizeSubscribe = NonNullable<AedesOptions['authorizeSubscribe']>
type AuthorizeForward = NonNullable<AedesOptions['authorizeForward']>

function accessHooks(
  hall: Hall,
  sessions: Sessions,
): Pick<AedesOptions, 'authorizePublish' | 'authorizeSubscribe' | 'authorizeForward'> {
  const acceptOnce = onceOnly(hall, sessions)
  // aedes 1.2.0 sees to it by itself.
  const isTooMuch = ({ id }: Client, messageId: number): boolean =>
    hall.speaks5 && sessions.incomingCount(id) >= hall.limits.inflightQos2Max && !sessions.hasIncoming(id, messageId)
  const authorizePublish: AuthorizePublish = (client, packet, callback) => {
    const connection = client && connectionOf(client)
    // Only wills name their client; `client.will` is not any more the one of a client that has gone.
    if ((packet as Partial<Will>).clientId !== undefined) {
      const answer = (cause?: string): void => callback(cause === undefined ? null : new RefusedError(cause))
      return takeWill(hall, sessions.wills, packet as Will, connection?.visitor, answer)
    }
    if (!client || !connection) return callback(new RefusedError('publish_denied'))
    const bytes = Buffer.from(packet.topic)
    const topic = hall.topics.find(bytes, 0, bytes.length)
    if (topic.fault !== undefined) return callback(new RefusedError(topic.fault))
    const { visitor } = connection
    if (visitor?.mayPublish(topic.name) !== true)
      return callback(new RefusedError('publish_denied', undefined, topic.name))
    toldOf(packet).properties = connection.heads?.next()
    const publish = toPublish(client.id, packet, hall.now(), visitor.mayName)
    const { wanted } = topic
    if (!wanted) hall.tally.add('unrouted', 1)
    const { qos, retain } = publish
    const { messageId = 0 } = packet
    if (qos === 2 && isTooMuch(client, messageId)) {
      connection.refuse('receive_maximum')
      return callback(new RefusedError('receive_maximum'))
    }
    const isKept = retain || (qos > 0 && hall.queues(topic)) || (qos === 2 && !client.clean)
    const settling =
      !wanted && !isKept
        ? undefined
        : qos === 2
          ? acceptOnce(client, messageId, publish, wanted)
          : (settle: (error?: Error) => void) => hall.acceptKept(publish, wanted, settle)
    connection.enter(publish, settling, error => {
      callback(error ?? null)
      // aedes gives up a publish whose connection has closed, though it is durable: who listens is told all the same.
      if (error === undefined && qos === 1 && connection.destroyed)
        forward((client as InnerClient).broker, hall, client, publish, () => undefined)
    })
    if (wanted) hall.flushSoon()
  }
  const authorizeForward: AuthorizeForward = (client, packet) => {
    // What aedes tells itself names every client that comes and goes.
    if (packet.topic.startsWith('$SYS/') && !packet.topic.startsWith(systemPrefix)) return null
    if (connectionOf(client)?.visitor?.mayReceive(packet.topic) !== true) return null
    if (client.clean || packet.qos === 0) return packet
    return sessions.keeping.isQueued(client.id, packet.payload) ? null : packet
  }
  const authorizeSubscribe: AuthorizeSubscribe = (client, subscription, callback) => {
    const filter = subscription.topic
    const held = Object.keys((client as InnerClient).subscriptions)
    const cause = subscriptionFault(connectionOf(client)?.visitor, filter, held, hall.limits)
    if (cause === undefined) return callback(null, subscription)
    hall.tally.warn(`refused_${cause}`, 'A subscription was refused', { ...connectionOf(client)?.who, filter })
    callback(null, null) // SUBACK 0x80 [MQTT-3.9.3-2]
  }
  return { authorizePublish, authorizeSubscribe, authorizeForward }
}

/** Counts the changes of what is subscribed to, so that the answer to `heard` can be remembered until the next. */
function watchSubscriptions(inner: Inner): { revision: number } {
  const watched = { revision: 0 }
  const { mq } = inner
  const on = mq.on.bind(mq)
  const removeListener = mq.removeListener.bind(mq)
  mq.on = (filter, listener, done) => {
    watched.revision += 1
    return on(filter, listener, done)
  }
  mq.removeListener = (filter, listener, done) =>
    removeListener(filter, listener, () => {
      watched.revision += 1
      done?.()
    })
  return watched
}

function judge(topic: Topic, matcher: Matcher, subscriptions: { revision: number }, sessions: Sessions): Topic {
  const revision = subscriptions.revision + sessions.revision
  if (topic.heardRevision !== revision) {
    topic.queued = sessions.keeping.queues(topic.name)
    topic.heard = topic.queued || matcher.match(topic.name).length > 0
    topic.heardRevision = revision
  }
  return topic
}

function forward(aedes: Aedes, hall: Hall, client: Client, publish: Publish, done: () => void): void {
  const packet = {
    cmd: 'publish',
    topic: publish.topic,
    payload: publish.payload,
    qos: publish.qos,
    retain: false,
    dup: false,
    clientId: client.id,
    ...(publish.properties && { properties: publish.properties }),
  } as PublishPacket
  hall.tally.add('forwarded')
  aedes.publish(packet, error => {
    if (error)
      hall.tally.warn('forward_failed', 'A stored reading could not be forwarded to subscribers', {
        topic: publish.topic,
        error: messageOf(error),
      })
    done()
  })
}

function subscribe(aedes: Aedes, hall: Hall, filter: string, handler: (message: Message) => void): Promise<void> {
  const wild = filter.startsWith('#') || filter.startsWith('+')
  const deliver = (packet: AedesPublishPacket, callback: () => void) => {
    try {
      const { topic, payload, qos, retain } = toPublish('', packet, 0)
      if (!wild || !topic.startsWith('$')) handler({ topic, payload, qos, retain }) // [MQTT-4.7.2-1]
    } catch (error) {
      hall.tally.warn('subscriber_failed', 'A subscriber inside the gateway failed', {
        topic: packet.topic,
        error: messageOf(error),
      })
    }
    callback()
  }
  return new Promise(resolve => aedes.subscribe(filter, deliver, resolve))
}

/** aedes says 'error' for what would otherwise end the process, and these two for each client that fails. */
function report(aedes: Aedes, { tally }: Hall): void {
  const onClient = (client: Client, error: Error) => {
    // A write that finds its connection gone is no event of its own.
    if (error.message === 'connection closed') return
    const refused = error instanceof RefusedError ? error : undefined
    const about = { ...connectionOf(client)?.who, client: client.id ?? '', topic: refused?.topic, error: error.message }
    const cause = refused?.reason ?? causeOf(error.message)
    tally.warn(`refused_${cause}`, 'A client was refused and its connection closed', about)
  }
  aedes.on('clientError', onClient)
  aedes.on('connectionError', onClient)
  const emitter: EventEmitter = aedes // its types know no 'error', but it emits it
  emitter.on('error', error =>
    tally.warn('broker_error', 'The broker met an unexpected error', { error: messageOf(error) }),
  )
}

class RefusedError extends Error {
  readonly reason: string
  readonly returnCode: number | undefined
  readonly topic: string | undefined

  constructor(reason: string, returnCode?: number, topic?: string) {
    super(reason)
    this.reason = reason
    this.returnCode = returnCode
    this.topic = topic
  }
}

function connectionOf(client: Client): Connection | undefined {
  return client.conn instanceof Connection ? client.conn : undefined
}

const toldOf = (packet: PublishPacket): Told => packet as unknown as Told

function toPublish(client: string, packet: PublishPacket, arrivalMs: number, mayName?: Publish['mayName']): Publish {
  const { topic, payload, qos, retain } = packet
  const { properties } = toldOf(packet)
  return {
    client,
    properties: properties?.bytes && properties,
    topic,
    payload: typeof payload === 'string' ? Buffer.from(payload) : payload,
    qos,
    retain,
    arrivalMs,
    keep: undefined,
    mayName,
  }
}
