/**
 * Passwords as they are kept: scrypt, with its own figures and salt beside it, so that either can change.
 *
 *   scrypt:16384:8:1:<salt>:<hash>      both in base64
 *
 * Nothing of a password, or of its hash, is ever said in a message.
 */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { scryptCost, scryptMemoryMax, scryptWorkMax } from './limits.ts'

export type PasswordHash = {
  readonly cost: { readonly N: number; readonly r: number; readonly p: number }
  readonly salt: Buffer
  readonly hash: Buffer
}

const saltBytes = 16
const hashBytes = 32

export async function hashPassword(password: Buffer): Promise<string> {
  const salt = randomBytes(saltBytes)
  const hash = await derive(password, salt, scryptCost, hashBytes)
  const { N, r, p } = scryptCost
  return ['scrypt', N, r, p, salt.toString('base64'), hash.toString('base64')].join(':')
}

/** Undefined if it cannot be read, or would cost more than it may. */
export function parsePasswordHash(text: string): PasswordHash | undefined {
  const match = /^scrypt:(\d{1,9}):(\d{1,4}):(\d{1,4}):([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)$/.exec(text)
  if (match === null) return undefined
  const [N = 0, r = 0, p = 0] = match.slice(1, 4).map(Number)
  const [salt, hash] = [Buffer.from(match[4] ?? '', 'base64'), Buffer.from(match[5] ?? '', 'base64')]
  const isPowerOfTwo = N > 1 && Number.isInteger(Math.log2(N))
  if (!isPowerOfTwo || r < 1 || p < 1 || 128 * N * r > scryptMemoryMax || N * r * p > scryptWorkMax) return undefined
  return salt.length >= 8 && hash.length >= 16 ? { cost: { N, r, p }, salt, hash } : undefined
}

export async function isPassword({ cost, salt, hash }: PasswordHash, given: Buffer): Promise<boolean> {
  return timingSafeEqual(await derive(given, salt, cost, hash.length), hash)
}

function derive(password: Buffer, salt: Buffer, cost: PasswordHash['cost'], length: number): Promise<Buffer> {
  const { N, r, p } = cost
  return new Promise((resolve, reject) => {
    scrypt(password, salt, length, { N, r, p, maxmem: 2 * scryptMemoryMax }, (error, key) =>
      error ? reject(error) : resolve(key),
    )
  })
}
