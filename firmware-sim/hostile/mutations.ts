/** Ways to spoil a packet, for fuzzing. Pure; the packet that is given stays as it is. */

type Chance = (end: number) => number
type Mutation = (packet: Buffer, other: Buffer, chance: Chance) => Buffer

const mutations: readonly Mutation[] = [
  /** A few bits flipped. */
  (packet, _other, chance) => {
    const flipped = Buffer.from(packet)
    for (let left = 1 + chance(4); left > 0; left--) {
      const at = chance(flipped.length)
      flipped[at] = (flipped[at] ?? 0) ^ (1 << chance(8))
    }
    return flipped
  },
  /** Cut off; what comes next is taken for the rest. */
  (packet, _other, chance) => packet.subarray(0, chance(packet.length)),
  /** The beginning of one and the end of another. */
  (packet, other, chance) =>
    Buffer.concat([packet.subarray(0, chance(packet.length)), other.subarray(chance(other.length))]),
  /** A length that lies by a little: the body is longer or shorter than what is said. */
  (packet, _other, chance) => {
    const lying = Buffer.from(packet)
    lying[1] = chance(128)
    return lying
  },
  /** A length that lies by much, in one byte to five. */
  (packet, _other, chance) => {
    const bytes = Array.from({ length: chance(5) }, () => 0x80 | chance(128))
    return Buffer.concat([packet.subarray(0, 1), Buffer.from([...bytes, chance(128)]), packet.subarray(2)])
  },
  /** Another type, other flags, the same body. */
  (packet, _other, chance) => Buffer.concat([Buffer.from([chance(256)]), packet.subarray(1)]),
  /** A length inside of the body that lies: of a topic, an id, a filter. */
  (packet, _other, chance) => {
    const lying = Buffer.from(packet)
    if (lying.length > 4) lying.writeUInt16BE(chance(65_536), 2 + chance(lying.length - 3))
    return lying
  },
  /** Bytes put in. */
  (packet, _other, chance) => {
    const at = chance(packet.length)
    return Buffer.concat([packet.subarray(0, at), noise(chance, 16), packet.subarray(at)])
  },
  /** The same twice. */
  packet => Buffer.concat([packet, packet]),
  /** Nothing of it. */
  (_packet, _other, chance) => noise(chance, 64),
]

export function mutate(packet: Buffer, other: Buffer, chance: Chance): Buffer {
  return mutations[chance(mutations.length)]?.(packet, other, chance) ?? packet
}

function noise(chance: Chance, bytesMost: number): Buffer {
  return Buffer.from(Array.from({ length: 1 + chance(bytesMost) }, () => chance(256)))
}
