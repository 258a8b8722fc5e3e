/**
 * The outgoing half of the composition root: from the configuration of each bridge to one that dials, to a hub or to a
 * plain broker, with what its streams read.
 */
import { randomUUID } from 'node:crypto'
import type { BridgeConfig } from './config/config.ts'
import type { House } from './house.ts'
import { openClientSecrets } from './identities.ts'
import { Bridge } from './replication/bridge.ts'
import { BrokerBridge } from './replication/plain/broker-bridge.ts'
import type { FarSide } from './replication/far-side.ts'
import type { LinkSecrets } from './replication/link/link.ts'
import { cursorOf } from './replication/send/source.ts'
import { Rollup } from './rollup/rollup.ts'
import type { Store } from './store/store.ts'
import { alsoDown, rollupOf, selectionOf, streamsOf } from './streams.ts'
import { replicationTime } from './time.ts'
import type { Timekeeper } from './timekeeping/keeper.ts'

export type Bridges = { readonly bridges: readonly FarSide[]; readonly rollups: readonly Rollup[] }

export async function openBridges(house: House, store: Store, keeper: Timekeeper): Promise<Bridges> {
  const { config, log, closers } = house
  const doors = {
    store,
    ...replicationTime(house.time, config.clock, keeper),
    randomId: randomUUID,
    random: Math.random,
    log: log.child({ room: 'bridge' }),
  }
  const clockTrusted = (): boolean => house.time.clock.isTrusted
  const bridges: FarSide[] = []
  const rollups: Rollup[] = []
  for (const bridgeConfig of config.bridges) {
    const options = {
      ...bridgeConfig,
      alsoSubscribe: alsoDown(bridgeConfig, house.config.tables),
      publish: await openSources(house, store, bridgeConfig, rollups),
      secrets: await openClientSecrets(bridgeConfig, doors.log, house.closers),
    }
    const bridge =
      options.target === 'broker'
        ? await BrokerBridge.open({ ...brokerBridgeOptions(options, config.gateway.id), clockTrusted }, doors)
        : await Bridge.open({ ...bridgeOptions(options, config.gateway.id), clockTrusted }, doors)
    closers.push(() => bridge.close())
    bridges.push(bridge)
  }
  return { bridges, rollups }
}

/** What each stream of a bridge reads. Summaries are followed from here on, and closed after the bridge that sends them. */
async function openSources(house: House, store: Store, bridge: BridgeConfig, rollups: Rollup[]) {
  const { config, log, closers, time } = house
  const { name } = bridge
  const { commitIntervalMs } = config.store
  const opened = streamsOf(bridge, config.tables).map(async stream => {
    const kind = config.tables.get(stream.table)?.kind ?? 'series'
    const options = rollupOf(stream, cursorOf(name, stream.every?.log ?? stream.table), commitIntervalMs)
    if (options === undefined) return { ...stream, selection: selectionOf(stream, kind) }
    const rollup = await Rollup.open(options, { store, time: time.board, log: log.child({ room: 'rollup' }) })
    closers.push(() => rollup.close())
    rollups.push(rollup)
    return { ...stream, summaries: { log: options.log, undecided: () => rollup.undecided } }
  })
  return Promise.all(opened)
}

function bridgeOptions({ farSide, frameBytesMax, mqttVersion, ...same }: Sourced, gateway: string) {
  return {
    ...same,
    mqtt: mqttVersion,
    gateway,
    url: farSide.url,
    username: same.username ?? gateway,
    frameBytes: frameBytesMax,
    tls: undefined,
  }
}
type Sourced = Omit<BridgeConfig, 'publish'> & {
  readonly publish: Awaited<ReturnType<typeof openSources>>
  readonly alsoSubscribe: readonly string[]
  readonly secrets: LinkSecrets | undefined
}

/** A plain broker may take anybody: only a hub needs to be told who we are. */
function brokerBridgeOptions({ farSide, mqttVersion, ...same }: Sourced, gateway: string) {
  return { ...same, mqtt: mqttVersion, gateway, url: farSide.url, tls: undefined }
}
