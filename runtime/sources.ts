/** The sources of a gateway, opened: from the keys of each to one that fetches. Part of the composition root. */
import type { SourceConfig } from './config/config.ts'
import type { House } from './house.ts'
import { openClientSecrets } from './identities.ts'
import type { GatewayIntake } from './intake.ts'
import { MqttSource } from './sources/mqtt/mqtt-source.ts'
import type { SourceStatus } from './sources/status.ts'
import type { Store } from './store/store.ts'

export type Source = { readonly status: () => SourceStatus; readonly close: () => Promise<void> }

export async function openSources(house: House, store: Store, intake: GatewayIntake): Promise<readonly Source[]> {
  const sources: Source[] = []
  for (const source of house.config.sources) {
    const opened = await openMqtt(house, store, intake, source)
    house.closers.push(() => opened.close())
    sources.push(opened)
  }
  return sources
}

async function openMqtt(house: House, store: Store, intake: GatewayIntake, source: SourceConfig): Promise<Source> {
  const { config, closers, time } = house
  const { farSide, clientId, mqttVersion, passwordFile: _passwordFile, tls: _tls, kind: _kind, ...same } = source
  const log = house.log.child({ room: 'sources', source: source.name })
  const options = {
    ...same,
    url: farSide.url,
    clientId: clientId ?? `${config.gateway.id}-source-${source.name}`,
    mqtt: mqttVersion,
    secrets: await openClientSecrets(source, log, closers),
  }
  const opened = await MqttSource.open(options, {
    intake: intake.door,
    memory: store,
    time: time.board,
    clockTrusted: () => time.clock.isTrusted,
    random: Math.random,
    log,
  })
  intake.speakers.set(`source:${source.name}`, (topic, payload, qos) => opened.publish(topic, payload, qos))
  return opened
}
