/** What Home Assistant is told, put together from the rooms; and where it is told. Part of the composition root. */
import { savedCounts } from './alerting/told.ts'
import { owner as ruleStates } from './alerting/names.ts'
import { selfOwner } from './alerting/self-alerts.ts'
import { Discovery } from './discovery/discovery.ts'
import type { Facts } from './discovery/entities.ts'
import type { House } from './house.ts'
import type { GatewayIntake } from './intake.ts'
import type { Parts } from './status.ts'
import { programVersion } from './version.ts'

export async function openDiscovery(house: House, parts: Parts, { speakers }: GatewayIntake): Promise<void> {
  const { homeAssistant } = house.config
  const own = parts.lan?.broker
  const names = homeAssistant.via ?? (own ? [undefined] : [])
  const discovery = new Discovery(
    { mode: names.length === 0 ? 'off' : homeAssistant.discovery, prefix: homeAssistant.prefix },
    {
      facts: () => factsOf(house, parts),
      publish: async (topic, payload) => {
        for (const name of names) await speakers.get(name)?.(topic, Buffer.from(payload), 1, { retain: true })
      },
      store: parts.store,
      after: house.time.board.after,
      log: house.log.child({ room: 'discovery' }),
    },
  )
  house.closers.push(() => discovery.close())
  await own?.subscribe(`${homeAssistant.prefix}/status`, ({ payload }) => discovery.heard(payload.toString()))
}

function factsOf({ time }: House, { store, rulebook, devices, bridges, sources }: Parts): Facts {
  const counts = savedCounts(store.states(ruleStates))
  const open = (rule: string): number => {
    const { firing = 0, latched = 0 } = counts.get(rule) ?? {}
    return firing + latched
  }
  const links = new Map<string, boolean>()
  for (const { bridge, state } of bridges.map(each => each.status())) links.set(bridge, state === 'talking')
  for (const { name, state } of sources.map(each => each.status())) links.set(name, state === 'connected')
  return {
    gateway: store.origin,
    version: programVersion(),
    rules: new Map(rulebook.rules.map(({ id }) => [id, open(id)])),
    devices: new Map(devices.list().map(({ device, state }) => [device, state === 'online'])),
    links,
    problems: [...store.states(selfOwner).keys()].toSorted(),
    isClockTrusted: time.clock.isTrusted,
  }
}
