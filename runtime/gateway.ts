/**
 * The composition root: opens the rooms in order, each with its own part of the configuration, and closes them in
 * reverse. The only place where rooms meet.
 */
import { openAdapter } from '../adapters/open.ts'
import { compileTopic } from '../adapters/topic.ts'
import { Alerting } from './alerting/alerting.ts'
import { announceAlerts } from './alerting/announcer.ts'
import { Rulebook } from './alerting/rulebook.ts'
import { type Broker, openBroker } from './broker/broker.ts'
import { defaultBrokerLimits } from './broker/limits.ts'
import { hybridClock } from './clock/hybrid.ts'
import { monotonicMs, wallMs } from './clock/wall.ts'
import type { BrokerConfig, Config, RouteConfig } from './config/config.ts'
import { Ingest } from './ingest/ingest.ts'
import { type Route, Routes } from './ingest/routes.ts'
import type { Log } from './log.ts'
import { Store } from './store/store.ts'

export type Gateway = {
  readonly store: Store
  readonly addresses: { readonly broker: readonly Address[]; readonly hub: readonly Address[] }
  /** Reads the rule files again now. True if they are in force. */
  reload(): boolean
  /** Refuses what is new, commits what was taken, closes. */
  close(): Promise<void>
}

type Address = { readonly host: string; readonly port: number }

/** What is open so far; each step adds to it, and the end of it is called in reverse. */
type House = {
  readonly config: Config
  readonly log: Log
  readonly closers: (() => Promise<void>)[]
}

export async function openGateway(config: Config, { log }: { readonly log: Log }): Promise<Gateway> {
  const house: House = { config, log, closers: [] }
  try {
    const store = await openStore(house)
    const alerting = await openAlerting(house, store)
    const lan = await openLan(house, store)
    return {
      store,
      addresses: { broker: lan?.broker.addresses() ?? [], hub: [] },
      reload: () => alerting.rulebook.reload(),
      close: () => closeAll(house),
    }
  } catch (error) {
    await closeAll(house)
    throw error
  }
}

async function openStore({ config, log, closers }: House): Promise<Store> {
  const stamps = hybridClock(wallMs)
  const store = await Store.open({
    path: config.store.path,
    tables: [...config.tables].map(([name, { kind }]) => ({ name, kind })),
    stamps,
    origin: config.gateway.id,
    commitIntervalMs: config.store.commitIntervalMs,
    ballastBytes: config.store.ballastBytes,
    monotonicMs,
    now: wallMs,
    log: log.child({ room: 'store' }),
  })
  closers.push(() => store.close())
  return store
}

async function openAlerting({ config, log, closers }: House, store: Store) {
  const graceMs = config.store.commitIntervalMs + 100
  const alerting = new Alerting({ store, now: wallMs, log: log.child({ room: 'alerting' }), graceMs })
  let turn = Promise.resolve()
  const rulebook = new Rulebook(config.rules.folder, log.child({ room: 'rules' }), rules => {
    turn = turn.then(() => alerting.use(rules))
  })
  await turn
  await rulebook.watch()
  closers.push(async () => {
    await rulebook.close()
    await turn
    await alerting.close()
  })
  return { alerting, rulebook }
}

async function openLan(house: House, store: Store): Promise<{ broker: Broker; ingest: Ingest } | undefined> {
  const { config, log, closers } = house
  if (!config.broker) return undefined
  const ingest = new Ingest(new Routes(config.routes.map(openRoute)), store)
  const broker = await openBroker({
    listen: config.broker.listen,
    limits: brokerLimits(config.broker),
    intake: {
      wants: topic => ingest.wants(topic),
      accept: (publish, done) => ingest.accept(publish, done),
      flush: () => ingest.flush(),
    },
    // What the gateway says of itself nobody else may say.
    mayPublish: (_client, topic) => !topic.startsWith('holdfast/'),
    now: wallMs,
    log: log.child({ room: 'broker' }),
  })
  const stop = new AbortController()
  const announcing = announceAlerts(store, (topic, payload) => broker.publish(topic, payload, { qos: 1 }), log, stop.signal)
  closers.push(async () => {
    stop.abort()
    await announcing
    await broker.close()
  })
  return { broker, ingest }
}

function openRoute({ topic, adapter, table, options }: RouteConfig): Route {
  const compiled = compileTopic(topic)
  if (!compiled.ok) throw new Error(`${topic}: ${compiled.reason}`)
  return { pattern: compiled.pattern, adapter: openAdapter(adapter, options), table }
}

function brokerLimits({ limits }: BrokerConfig) {
  const { queuedMessagesMax, ...same } = limits
  return { ...defaultBrokerLimits, ...same, queuedMessagesPerSessionMax: queuedMessagesMax }
}

async function closeAll({ closers }: House): Promise<void> {
  for (const close of closers.toReversed()) await close()
}
