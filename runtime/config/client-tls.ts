/** The certificate files of a side that dials, as absolute paths. Pure. */
import { resolve } from 'node:path'
import type { z } from 'zod'
import type { clientTls } from './bridge-schema.ts'
import type { ClientTlsConfig } from './config.ts'

export function clientTlsOf(tls: z.output<typeof clientTls>, folder: string): ClientTlsConfig {
  const path = (file: string | undefined): string | undefined => file && resolve(folder, file)
  return { ca: path(tls.ca), cert: path(tls.cert), key: path(tls.key), serverName: tls.server_name }
}
