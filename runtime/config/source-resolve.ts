/** From the keys of a source to what the room gets. Part of resolve.ts. Pure. */
import { resolve } from 'node:path'
import { clientTlsOf } from './client-tls.ts'
import type { SourceConfig } from './config.ts'
import type { ConfigFile } from './schema.ts'

export function sourcesOf(
  sources: ConfigFile['sources'],
  passwords: ReadonlyMap<string, string>,
  folder: string,
): SourceConfig[] {
  return Object.entries(sources).map(([name, source]) => ({
    kind: source.kind,
    name,
    farSide: source.url,
    clientId: source.client_id,
    username: source.username,
    password: passwords.get(`sources.${name}`),
    passwordFile: source.password_file && resolve(folder, source.password_file),
    tls: source.tls && clientTlsOf(source.tls, folder),
    mqttVersion: source.mqtt,
    topics: source.topics,
    qos: source.qos === 2 ? 2 : 1,
    retained: source.retained,
    keepaliveMs: source.keepalive,
    sessionExpiryMs: source.session_expiry,
  }))
}
