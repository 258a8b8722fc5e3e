/**
 * A checksum of our own on every stored value: CRC-32 of the key and the value, in the last four bytes. LevelDB's repair
 * can bring back a value that its own checksums no longer cover [L4]; with the seal such a value is known for what it is.
 */
import { crc32 } from 'node:zlib'

export const sealBytes = 4

export function seal(key: Buffer, value: Buffer): Buffer {
  const sealed = Buffer.allocUnsafe(value.length + sealBytes)
  value.copy(sealed)
  sealed.writeUInt32LE(crc32(value, crc32(key)), value.length)
  return sealed
}

/** The value without its seal, or undefined if it is not what was written under this key. */
export function unseal(key: Buffer, sealed: Buffer): Buffer | undefined {
  if (sealed.length < sealBytes) return undefined
  const value = sealed.subarray(0, sealed.length - sealBytes)
  return crc32(value, crc32(key)) === sealed.readUInt32LE(value.length) ? value : undefined
}
