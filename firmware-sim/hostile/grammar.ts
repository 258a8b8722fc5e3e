/**
 * Random conversations for a broker, from valid sequences: a CONNECT of some version, then what a client may say, then the
 * odd packet of them mutated. Most of a conversation is right, so that the wrong part meets a broker in the middle of
 * something. Pure: chance comes as an argument, and the same chance gives the same bytes.
 */
import { mutate } from './mutations.ts'
import { oddNames } from './odd-names.ts'
import * as packets from './packets.ts'

/** A whole number from 0 up to, but not, `end`. */
export type Chance = (end: number) => number

const packetsMost = 24
const topics = [
  'sensors/fuzz/t',
  'sensors/fuzz/u',
  'fuzz/a',
  'fuzz/a/b',
  'fuzz/b',
  '$SYS/x',
  'holdfast/x',
  'a/b/c/d/e/f/g/h/i',
]
const filters = ['#', 'fuzz/#', 'fuzz/+', '+/+/b', 'sensors/fuzz/#', '$SYS/#', 'fuzz/a', '$share/x/fuzz/a']
const versions = [4, 4, 4, 4, 5, 5, 3, 6] as const

/** The packets of one connection; about one in six is mutated. */
export function conversation(chance: Chance, clientId: string): Buffer[] {
  const version = pick(chance, versions)
  const count = 1 + chance(packetsMost)
  const said = [greeting(chance, clientId, version)]
  while (said.length < count) said.push(packetOf(chance, clientId, version))
  return said.map((packet, index) => {
    if (chance(6) > 0) return packet
    return mutate(packet, said[(index + 1) % said.length] ?? packet, chance)
  })
}

function greeting(chance: Chance, clientId: string, version: number): Buffer {
  const will = { topic: pick(chance, topics), payload: payload(chance, 64), qos: chance(3), retain: chance(2) === 0 }
  return packets.connect({
    clientId: chance(20) === 0 ? pick(chance, oddNames).toString('latin1').slice(0, 300) : `${clientId}-${chance(8)}`,
    version,
    clean: chance(3) > 0,
    keepaliveSeconds: chance(100),
    ...(chance(4) === 0 && { user: 'fuzz', password: 'fuzz' }),
    ...(chance(4) === 0 && { will }),
  })
}

/** One of what a client may say after CONNECT; often the same kinds as honest clients, sometimes the rare ones. */
function packetOf(chance: Chance, clientId: string, version: number): Buffer {
  const id = 1 + chance(8)
  switch (chance(16)) {
    case 0:
    case 1:
      return packets.subscribe(id, names(chance, filters), chance(3), version)
    case 2:
      return packets.unsubscribe(id, names(chance, filters), version)
    case 3:
      return packets.answer(pick(chance, [4, 5, 6, 7] as const), id)
    case 4:
      return packets.answer(6, id)
    case 5:
      return packets.ping
    case 6:
      return chance(4) === 0 ? packets.disconnect : packets.ping
    case 7:
      return chance(4) === 0 ? greeting(chance, clientId, version) : packets.ping
    case 8:
      return chance(4) === 0 ? packets.frame(chance(16), chance(16), [payload(chance, 32)]) : packets.ping
    default:
      return packets.publish({
        topic: pick(chance, topics),
        payload: chance(2) === 0 ? `{"value":${chance(100)}}` : payload(chance, 200),
        qos: chance(3),
        id,
        retain: chance(4) === 0,
        version,
      })
  }
}

function names(chance: Chance, from: readonly string[]): string[] {
  return Array.from({ length: 1 + chance(3) }, () => pick(chance, from))
}

function payload(chance: Chance, bytesMost: number): Buffer {
  return Buffer.from(Array.from({ length: chance(bytesMost) }, () => chance(256)))
}

function pick<T>(chance: Chance, from: readonly T[]): T {
  return from[chance(from.length)] as T
}
