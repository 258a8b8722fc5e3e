/** The sources of a gateway, opened: from the keys of each to one that fetches. Part of the composition root. */
import { blocksOf, pointsOf } from '../adapters/modbus-points.ts'
import type {
  HttpSourceConfig,
  ModbusSourceConfig,
  MqttSourceConfig,
  RhythmConfig,
  SourceConfig,
} from './config/config.ts'
import type { House } from './house.ts'
import { openClientSecrets } from './identities.ts'
import { type GatewayIntake, pollTopic } from './intake.ts'
import type { Log } from './log.ts'
import { compileInstants } from './schedule.ts'
import { MqttSource } from './sources/mqtt/mqtt-source.ts'
import { HttpPoll } from './sources/poll/http-poll.ts'
import { ModbusTcp } from './sources/poll/modbus-tcp.ts'
import { type Asking, Poller, type PollerOptions } from './sources/poll/poller.ts'
import { atInstants, everyMs, type Rhythm } from './sources/poll/rhythm.ts'
import type { SourceStatus } from './sources/status.ts'
import type { Store } from './store/store.ts'

export type Source = { readonly status: () => SourceStatus; readonly close: () => Promise<void> }

export async function openSources(house: House, store: Store, intake: GatewayIntake): Promise<readonly Source[]> {
  const sources: Source[] = []
  for (const source of house.config.sources) {
    const log = house.log.child({ room: 'sources', source: source.name })
    const opened = await openSource(house, store, intake, source, log)
    house.closers.push(() => opened.close())
    sources.push(opened)
  }
  return sources
}

async function openSource(house: House, store: Store, intake: GatewayIntake, source: SourceConfig, log: Log) {
  switch (source.kind) {
    case 'mqtt':
      return openMqtt(house, store, intake, source, log)
    case 'modbus-tcp':
      return openModbus(house, intake, source, log)
    case 'http-poll':
      return openHttp(house, intake, source, log)
  }
}

async function openMqtt(house: House, store: Store, intake: GatewayIntake, source: MqttSourceConfig, log: Log) {
  const { config, closers, time } = house
  const { farSide, clientId, mqttVersion, passwordFile: _passwordFile, tls: _tls, kind: _kind, ...same } = source
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
  intake.speakers.set(source.name, (topic, payload, qos, { retain } = { retain: false }) =>
    opened.publish(topic, payload, qos, retain),
  )
  return opened
}

function openModbus(house: House, intake: GatewayIntake, source: ModbusSourceConfig, log: Log): Poller {
  const { name, kind, host, port, unitId, timeoutMs, options } = source
  const asking = new ModbusTcp({ host, port, unitId, timeoutMs, blocks: blocksOf(pointsOf(options)) })
  const from = `${host.includes(':') ? `[${host}]` : host}:${port} unit ${unitId}`
  const topic = pollTopic(name)
  return openPoller(house, intake, { name, kind, from, topic, presenceTopic: topic }, asking, source.rhythm, log)
}

function openHttp(house: House, intake: GatewayIntake, source: HttpSourceConfig, log: Log): Poller {
  const { name, kind, url, topic, timeoutMs } = source
  const asking = new HttpPoll({ url, timeoutMs }, house.time.board)
  const options = { name, kind, from: url, topic, presenceTopic: pollTopic(name) }
  return openPoller(house, intake, options, asking, source.rhythm, log)
}

function openPoller(
  { time }: House,
  intake: GatewayIntake,
  options: PollerOptions,
  asking: Asking,
  rhythm: RhythmConfig,
  log: Log,
): Poller {
  const doors = { intake: intake.door, time: time.board, random: Math.random, log }
  return new Poller(options, asking, { ...doors, rhythm: rhythmOf(rhythm) })
}

function rhythmOf(rhythm: RhythmConfig): Rhythm {
  if (rhythm.kind === 'every') return everyMs(rhythm.everyMs)
  const compiled = compileInstants(rhythm.cron, rhythm.zone)
  if (!compiled.ok) throw new Error(`${rhythm.cron}: ${compiled.reason}`)
  return atInstants(compiled.instants)
}
