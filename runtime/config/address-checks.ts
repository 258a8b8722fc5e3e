/**
 * What an address promises, against the keys beside it: who writes certificates next to mqtt:// believes the link to be
 * encrypted, and it would not be. Pure.
 */
import type { Finding, Path } from '../document.ts'
import type { ConfigFile } from './schema.ts'
import type { FarSide } from './values.ts'

export function addressChecks({ bridges = [], hub, sources = {} }: Partial<ConfigFile>): Finding[] {
  return [
    ...bridges.flatMap(({ url, tls }, index) => (tls === undefined ? [] : inTheClear(url, ['bridges', index, 'tls']))),
    ...Object.entries(sources).flatMap(([name, source]) =>
      source.kind !== 'mqtt' || source.tls === undefined ? [] : inTheClear(source.url, ['sources', name, 'tls']),
    ),
    ...(hub?.broker?.tls === undefined ? [] : inTheClear(hub.broker.url, ['hub', 'broker', 'tls'])),
  ]
}

function inTheClear({ url, tls }: FarSide, path: Path): Finding[] {
  if (tls) return []
  const message = `certificates have no effect on ${url}, where nothing is encrypted: write mqtts://, or leave tls out`
  return [{ path, message, onKey: true }]
}
