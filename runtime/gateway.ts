/**
 * The composition root: opens the rooms in order, each with its own part of the configuration, and closes them in
 * reverse. The only place where rooms meet.
 */
import { randomUUID } from 'node:crypto'
import { configuredLabels, openAlerting, openNotifier } from './alerts.ts'
import { AlertDesk } from './alerting/desk.ts'
import { DeviceLabels } from './alerting/device-labels.ts'
import { owner as ruleStates } from './alerting/names.ts'
import { RulesTold, savedCounts } from './alerting/told.ts'
import { openApi } from './api/api.ts'
import { type Broker, openBroker } from './broker/broker.ts'
import { defaultBrokerLimits, hubBrokerLimits } from './broker/limits.ts'
import type { Listener } from './broker/wire.ts'
import { gatewayBackup } from './backup/gateway-backup.ts'
import { openBridges } from './bridges.ts'
import { monotonicMs } from './clock/wall.ts'
import { GatewayUsers, twoNames } from './cloud/access.ts'
import { BrokerTransport } from './cloud/broker-transport.ts'
import { Hub, type Transport } from './cloud/hub.ts'
import type { BrokerConfig, Config, HubBrokerConfig, HubConfig, TableChoice } from './config/config.ts'
import { Devices } from './devices/devices.ts'
import { openDiscovery } from './discovered.ts'
import { messageOf } from './errors.ts'
import {
  keepOrigin,
  openClientSecrets,
  openGatewayPasswords,
  openServerTls,
  settleRestored,
  withOrigin,
} from './identities.ts'
import { openRetention } from './holding.ts'
import type { House } from './house.ts'
import { type GatewayIntake, openIntake } from './intake.ts'
import type { Log } from './log.ts'
import { ParkedRows } from './replication/parked/parked-rows.ts'
import type { StreamStatus } from './replication/stream.ts'
import { openSources } from './sources.ts'
import { type Parts, statusOf } from './status.ts'
import { acceptedTables, offeredTables, readingTest, tablesToShare } from './streams.ts'
import { machineDisk } from './store/machine-disk.ts'
import { Store } from './store/store.ts'
import { TableRollups } from './rollup/tables.ts'
import { type TimeDoors, gatewayTime, keepTime, machineTime, replicationTime } from './time.ts'
import type { Timekeeper } from './timekeeping/keeper.ts'
import { keepTo, openVisitors } from './visitors.ts'

export type Gateway = {
  readonly store: Store
  readonly addresses: { readonly broker: readonly Listener[]; readonly hub: readonly Listener[] }
  /** Reads the rule files again now. True if they are in force. */
  reload(): boolean
  /** Resolves when all that is stored and due by now is judged, told and done: for tests, whose clock stands still. */
  settled(): Promise<void>
  /** Refuses what is new, commits what was taken, closes. */
  close(): Promise<void>
}

export type GatewayDoors = {
  readonly log: Log
  readonly time?: TimeDoors
  /** Reads the configuration again. Of it only who may come to the broker is taken while the gateway runs. */
  readonly reread?: () => Config
}

/** Opens everything that the configuration names. Throws, with all of it closed again, if any part cannot open. */
export async function openGateway(config: Config, doors: GatewayDoors): Promise<Gateway> {
  const time = gatewayTime(doors.time ?? (await machineTime()), config.clock)
  const house: House = { config, log: doors.log, closers: [], time }
  try {
    const store = await openStore(house)
    const id = await keepOrigin(store, config.gateway, doors.log)
    if (id !== config.gateway.id) {
      await closeAll(house)
      return await openGateway(withOrigin(config, id), doors)
    }
    await settleRestored(store, doors.log)
    // Before anything else looks at the time, or writes.
    const keeper = await openKeeper(house, store)
    const retention = openRetention(house, store)
    const tableRollups = openTableRollups(house, store)
    // Rules before the broker: no reading may come before its table is watched.
    const alerts = await openAlerting(house, store, keeper)
    const { alerting, rulebook } = alerts
    const labels = new DeviceLabels(store, configuredLabels(config))
    const devices = await openDevices(house, store, labels)
    const intake = openIntake(house, store, devices)
    const lan = config.broker && (await openLan(house, config.broker, store, intake))
    const notifier = openNotifier(house, store, alerts, lan?.broker)
    const cloud = config.hub && (await openCloud(house, config.hub, store, keeper))
    const sources = await openSources(house, store, intake)
    const { bridges, rollups } = await openBridges(house, store, keeper)
    const parts: Parts = {
      config,
      store,
      alerting,
      rulebook,
      notifier,
      lan,
      ingest: intake.ingest,
      devices,
      cloud,
      bridges,
      sources,
      rollups,
      tableRollups,
      retention,
      keeper,
      startedAtMs: monotonicMs(),
      monotonicMs,
      now: house.time.clock.now,
    }
    await openDiscovery(house, parts, intake)
    await openControl(house, parts, await openParked(house, parts), labels, () => reload(parts, doors))
    // First of all: whoever waits for the time must not wait for a store that cannot write.
    house.closers.push(async () => keeper.stop())
    return {
      store,
      get addresses() {
        return { broker: lan?.broker.addresses() ?? [], hub: cloud?.broker?.addresses() ?? [] }
      },
      reload: () => reload(parts, doors),
      settled: async () => {
        await alerting.settled()
        await notifier.settled()
      },
      close: () => closeAll(house),
    }
  } catch (error) {
    await closeAll(house)
    throw error
  }
}

/** Rules, users and roles as their files are now. True if all of them are in force. */
function reload({ lan, rulebook }: Parts, { log, reread }: GatewayDoors): boolean {
  const rules = rulebook.reload()
  if (!lan) return rules
  try {
    const { broker } = reread?.() ?? {}
    return lan.visitors.reload(broker) && rules
  } catch (error) {
    log.warn({ reason: messageOf(error) }, 'the configuration is not in order: the roles from before stay in force')
    return false
  }
}

async function openKeeper({ config, log, closers, time }: House, store: Store): Promise<Timekeeper> {
  const keeper = await keepTime(time, config.clock, store, log.child({ room: 'clock' }))
  closers.push(() => keeper.close())
  return keeper
}

async function openStore({ config, log, closers, time }: House): Promise<Store> {
  const store = await Store.open({
    path: config.store.path,
    tables: [...config.tables].map(([name, { kind }]) => ({ name, kind })),
    stamps: time.stamps,
    origin: config.gateway.id,
    commitIntervalMs: config.store.commitIntervalMs,
    ballastBytes: config.store.ballastBytes,
    monotonicMs,
    now: time.clock.now,
    disk: machineDisk(config.store.path),
    log: log.child({ room: 'store' }),
  })
  closers.push(() => store.close())
  return store
}

/** Aggregates are answered from them from the first moment on. */
function openTableRollups({ config, log, closers, time }: House, store: Store): TableRollups {
  store.readings.keeper = store.upkeep.rollupKeeper(table => config.tables.get(table)?.rollups.periodsMs ?? [])
  const tables = [...config.tables]
    .filter(([, { kind }]) => kind === 'series')
    .map(([table, { rollups }]) => ({ table, ...rollups }))
  const rollups = new TableRollups(tables, {
    store,
    trustedMs: () => (time.clock.isTrusted ? time.clock.now() : undefined),
    after: time.board.after,
    log: log.child({ room: 'rollup' }),
  })
  closers.push(() => rollups.close())
  return rollups
}

async function openDevices({ config, log, closers, time }: House, store: Store, labels: DeviceLabels) {
  const devices = await Devices.open(
    { offlineAfterMs: config.devices.offlineAfterMs, expected: config.devices.known },
    {
      store,
      labels: device => labels.of(device),
      now: time.clock.now,
      isTimeTrusted: () => time.clock.isTrusted,
      monotonicMs,
      after: time.board.after,
      log: log.child({ room: 'devices' }),
    },
  )
  closers.push(() => devices.close())
  return devices
}

async function openLan(house: House, options: BrokerConfig, store: Store, intake: GatewayIntake) {
  const { log, closers, time } = house
  const room = log.child({ room: 'broker' })
  const visitors = openVisitors(house, options)
  const secure = options.tls && (await openServerTls('broker', options.tls, room, closers))
  const broker: Broker = await openBroker({
    listen: visitors.places(),
    tls: secure?.tls,
    origins: options.origins,
    mqtt5: options.mqtt5,
    systemIntervalMs: options.systemIntervalMs,
    limits: { ...defaultBrokerLimits, ...options.limits },
    intake: intake.door,
    access: visitors.access,
    now: time.clock.now,
    monotonicMs,
    trustedMs: () => (time.clock.isTrusted ? time.clock.now() : undefined),
    shelf: store,
    log: room,
  })
  closers.push(() => broker.close())
  intake.speakers.set(undefined, (topic, payload, qos, options) => broker.publish(topic, payload, { qos, ...options }))
  const moving = keepTo(visitors, broker, house, room)
  return {
    broker,
    visitors,
    warnings: () => [secure?.warning(), moving.problem(), ...visitors.warnings()].filter(text => text !== undefined),
  }
}

async function openCloud(house: House, options: HubConfig, store: Store, keeper: Timekeeper) {
  const { config, log, closers } = house
  const way = options.broker
    ? { link: await openHubLink(house, options.broker), broker: undefined, warning: () => undefined }
    : { link: undefined, ...(await openHubBroker(house, options)) }
  const names = tablesToShare(config)
  const hub = await Hub.open(
    {
      id: config.gateway.id,
      accept: acceptedTables(chosen(options.accept, names), config.tables),
      offer: offeredTables(chosen(options.offer, names), config.tables),
      frameBytes: undefined,
    },
    {
      store,
      ...replicationTime(house.time, config.clock, keeper),
      randomId: randomUUID,
      log: log.child({ room: 'hub' }),
    },
    way.link ?? transportOf(way.broker),
  )
  way.link?.tellOf(hub)
  closers.push(() => hub.close())
  return { ...way, hub }
}

/** A listener of our own for the gateways. */
async function openHubBroker({ log, closers, time }: House, options: HubConfig) {
  const room = log.child({ room: 'hub' })
  let toldOfNames: string | undefined
  const users = new GatewayUsers(await openGatewayPasswords(options.gateways, room, closers))
  const secure = options.tls && (await openServerTls('hub', options.tls, room, closers))
  const broker: Broker = await openBroker({
    listen: options.listen.map(address => ({ kind: secure ? 'mqtts' : 'mqtt', ...address })),
    tls: secure?.tls,
    limits: hubBrokerLimits,
    // Gateways speak to the hub through topics of their own; nothing that comes here is a reading of a device.
    intake: {
      wants: () => false,
      accept: (_publish, done) => done(new Error('this listener is for gateways')),
      flush: () => undefined,
    },
    access: {
      authenticate: login => {
        const reason = twoNames(login.user, login.certificateName)
        // Once for each, not with every attempt.
        if (reason !== undefined && reason !== toldOfNames) room.error({ reason }, 'A gateway is not let in')
        toldOfNames = reason ?? toldOfNames
        return users.authenticate(login)
      },
      standIn: () => users.standIn(),
    },
    now: time.clock.now,
    log: log.child({ room: 'hub' }),
  })
  closers.push(() => broker.close())
  return { broker, warning: () => secure?.warning() }
}

/** Somebody else's broker between the gateways and the hub. */
async function openHubLink({ config, log, closers, time }: House, options: HubBrokerConfig): Promise<BrokerTransport> {
  const room = log.child({ room: 'hub' })
  const link = new BrokerTransport(
    {
      hub: config.gateway.id,
      url: options.farSide.url,
      username: options.username,
      password: options.password,
      tls: undefined,
      secrets: await openClientSecrets(options, room, closers),
      clockTrusted: () => time.clock.isTrusted,
    },
    { time: time.board, random: Math.random, log: room },
  )
  closers.push(() => link.close())
  return link
}

function transportOf(broker: Broker): Transport {
  return {
    publish: (topic, payload) => broker.publish(topic, payload, { qos: 1 }),
    subscribe: (filter, handler) => broker.subscribe(filter, ({ topic, payload }) => handler(topic, payload)),
  }
}

function chosen(choice: TableChoice, all: readonly string[]): readonly string[] {
  return choice === 'all' ? all : [...choice]
}

async function openParked({ config, log, closers, time }: House, parts: Parts): Promise<ParkedRows> {
  const { store, keeper, bridges, cloud } = parts
  const streams = (): readonly StreamStatus[] => [
    ...bridges.flatMap(bridge => bridge.status().streams),
    ...(cloud?.hub.status().gateways ?? []).flatMap(gateway => gateway.streams),
  ]
  const doors = { store, streams, ...replicationTime(time, config.clock, keeper), log: log.child({ room: 'parked' }) }
  const rows = await ParkedRows.open(doors)
  closers.push(() => rows.close())
  return rows
}

async function openControl(
  { config, log, closers, time }: House,
  parts: Parts,
  parked: ParkedRows,
  labels: DeviceLabels,
  again: () => boolean,
): Promise<void> {
  const api = await openApi({
    socket: config.api.socket,
    store: parts.store,
    status: () => statusOf(parts),
    metrics: () => statusOf(parts),
    parked,
    where: readingTest,
    alerts: new AlertDesk(parts.store, time.clock.now),
    rules: new RulesTold(
      parts.store,
      () => parts.rulebook.rules,
      () => savedCounts(parts.store.states(ruleStates)),
      config.rules.zone,
      labels,
    ),
    devices: parts.devices,
    backup: () => gatewayBackup(parts.store, time.clock.now(), log),
    reload: () => ({ in_force: again(), ...parts.rulebook.status() }),
    now: time.clock.now,
    boot: time.clock.boot,
    log: log.child({ room: 'api' }),
  })
  closers.push(() => api.close())
}

/** A part that does not close keeps none of the others open, least of all the store. */
async function closeAll({ closers, log }: House): Promise<void> {
  for (const close of closers.toReversed()) {
    try {
      await close()
    } catch (error) {
      log.error({ reason: messageOf(error) }, 'a part of the gateway did not close')
    }
  }
}
