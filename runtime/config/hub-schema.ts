/** The keys of a hub: the far side of other gateways. Part of the schema in schema.ts. */
import { z } from 'zod'
import { hubGatewaysMax, tablesMax } from '../limits.ts'
import { clientTls, secret } from './bridge-schema.ts'
import { credential, filePath, listeners, mqttUrl, originId, tableName, withWords } from './values.ts'

const tableChoice = withWords(z.array(tableName).max(tablesMax).optional(), { fallback: 'all' })

const serverTls = z.strictObject({
  cert: filePath.describe('The certificate of this hub.'),
  key: filePath.describe('The key of the certificate.'),
  ca: filePath
    .optional()
    .describe('Who vouches for gateways: each must then show a certificate whose common name is its id.'),
})

const throughBroker = z.strictObject({
  url: mqttUrl.describe('The broker.'),
  username: credential.optional().describe('The MQTT user of this hub.'),
  ...secret,
  tls: clientTls.optional().describe('For an mqtts address: certificates, read again when their files change.'),
})

export const hub = z.strictObject({
  id: withWords(originId.optional(), { fallback: 'gateway.id' }).describe(
    'The name of this hub: the origin of its entries.',
  ),
  listen: withWords(listeners.prefault('127.0.0.1:1884'), { fallback: '127.0.0.1:1884' }).describe(
    'Where gateways connect.',
  ),
  tls: serverTls.optional().describe('Makes the listeners speak TLS; the files are read again when they change.'),
  broker: throughBroker
    .optional()
    .describe('A broker through which gateways are met, instead of listening: they dial it, and so does this hub.'),
  gateways: z
    .record(originId, z.strictObject(secret))
    .refine(gateways => Object.keys(gateways).length <= hubGatewaysMax, `at most ${hubGatewaysMax} gateways`)
    .optional()
    .describe(
      'The gateways that may connect, by id, each with its password; needed as soon as the hub listens beyond this machine.',
    ),
  accept: tableChoice.describe('Tables that gateways may send.'),
  offer: tableChoice.describe('Tables that gateways may ask for.'),
})
