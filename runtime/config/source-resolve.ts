/** From the keys of a source to what the room gets. Part of resolve.ts. Pure. */
import { resolve } from 'node:path'
import { clientTlsOf } from './client-tls.ts'
import type { MqttSourceConfig, RhythmConfig, SourceConfig } from './config.ts'
import type { ConfigFile } from './schema.ts'

type Keys = ConfigFile['sources'][string]
type KeysOf<Kind extends Keys['kind']> = Extract<Keys, { kind: Kind }>

export function sourcesOf(
  { sources, rules }: Pick<ConfigFile, 'sources' | 'rules'>,
  passwords: ReadonlyMap<string, string>,
  folder: string,
): SourceConfig[] {
  return Object.entries(sources).map(([name, source]): SourceConfig => {
    switch (source.kind) {
      case 'mqtt':
        return mqttOf(name, source, passwords.get(`sources.${name}`), folder)
      case 'modbus-tcp': {
        const { kind, host, port, unit_id: unitId, every, cron, zone, timeout: timeoutMs, table, ...options } = source
        return {
          kind,
          name,
          host,
          port,
          unitId,
          rhythm: rhythmOf(every, cron, zone ?? rules.zone),
          timeoutMs,
          table,
          options,
        }
      }
      case 'http-poll': {
        const { kind, url, topic, device, every, cron, zone, timeout: timeoutMs } = source
        return { kind, name, url, topic, device, rhythm: rhythmOf(every, cron, zone ?? rules.zone), timeoutMs }
      }
    }
  })
}

function rhythmOf(everyMs: number | undefined, cron: string | undefined, zone: string): RhythmConfig {
  return cron === undefined ? { kind: 'every', everyMs: everyMs ?? 0 } : { kind: 'cron', cron, zone }
}

function mqttOf(name: string, source: KeysOf<'mqtt'>, password: string | undefined, folder: string): MqttSourceConfig {
  return {
    kind: source.kind,
    name,
    farSide: source.url,
    clientId: source.client_id,
    username: source.username,
    password,
    passwordFile: source.password_file && resolve(folder, source.password_file),
    tls: source.tls && clientTlsOf(source.tls, folder),
    mqttVersion: source.mqtt,
    topics: source.topics,
    qos: source.qos === 2 ? 2 : 1,
    retained: source.retained,
    keepaliveMs: source.keepalive,
    sessionExpiryMs: source.session_expiry,
  }
}
