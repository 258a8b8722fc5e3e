/** mqtt.js, in this process. */
import { readFileSync } from 'node:fs'
import { connect, type IClientOptions, type MqttClient } from 'mqtt'
import {
  type Heard,
  isTls,
  type Kit,
  type Line,
  type Message,
  type Subscriber,
  type SubscriberOptions,
} from './client-kit.ts'

const clients = new Set<MqttClient>()

/** What comes with the session comes at once: `listen` is called before it connects. */
async function open(line: Line, options: IClientOptions, listen?: (client: MqttClient) => void): Promise<MqttClient> {
  const tls = isTls(line) ? { ca: readFileSync(line.ca) } : {}
  const given: IClientOptions = { protocolVersion: line.version, reconnectPeriod: 0, ...tls, ...options }
  const client = connect(`${line.kind}://127.0.0.1:${line.port}`, given)
  clients.add(client)
  listen?.(client)
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve())
    client.once('close', () => reject(new Error('the connection closed before it was open')))
    // One that stays loses its connection when the gateway is killed: that is what it is for.
    client.on('error', reject)
  })
  return client
}

async function leave(client: MqttClient): Promise<void> {
  clients.delete(client)
  await client.endAsync()
}

async function publish(line: Line, { topic, payload, qos, retain = false, note }: Message): Promise<void> {
  const client = await open(line, {})
  const properties = note === undefined ? {} : { properties: { userProperties: { note } } }
  await client.publishAsync(topic, payload, { qos, retain, ...properties })
  await leave(client)
}

async function subscribe(line: Line, { id, filter, qos, keeps, stays, will }: SubscriberOptions): Promise<Subscriber> {
  const session: IClientOptions =
    keeps === true
      ? { clean: false, ...(line.version === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {}) }
      : { clean: true }
  const { topic, payload, retain = false } = will ?? { topic: '', payload: '' }
  const lastWord = will ? { will: { topic, payload: Buffer.from(payload), qos: will.qos, retain } } : {}
  const again = stays === true ? { reconnectPeriod: 100 } : {}
  const heard: Heard[] = []
  const listen = (client: MqttClient): void =>
    void client.on('message', (topic, payload, packet) => {
      const note = packet.properties?.userProperties?.['note']
      heard.push({
        topic,
        payload: String(payload),
        qos: packet.qos,
        retain: packet.retain,
        note: note && String(note),
      })
    })
  const client = await open(line, { clientId: id, ...session, ...lastWord, ...again }, listen)
  await client.subscribeAsync(filter, { qos })
  return {
    heard,
    cut: async () => {
      clients.delete(client)
      const closed = new Promise<void>(resolve => client.once('close', () => resolve()))
      client.stream.destroy()
      await closed
    },
    leave: () => leave(client),
  }
}

export const mqttjsKit: Kit = {
  name: 'mqtt.js',
  transports: ['mqtt', 'mqtts', 'ws', 'wss'],
  comesBack: () => true,
  publish,
  subscribe,
  close: () => clients.forEach(client => client.end(true)),
}
