/**
 * LevelDB, listened to: whatever it says of damage is noted, wherever it says it, because a walk passes over a damaged
 * block and tells of it at its end, if at all. What it throws becomes an error that says what will happen now.
 */
import type { ClassicLevel } from 'classic-level'
import { HoldfastError, messageOf, systemCode } from '../errors.ts'
import type { Level } from './home.ts'

export function watched(level: Level, note: (trouble: string) => void): Level {
  const heard = (error: unknown): never => {
    if (isCorruption(error)) {
      note(messageOf(error))
      throw new HoldfastError('STORE_DAMAGED', `the database is damaged: ${messageOf(error)}`, 'it mends itself', error)
    }
    if (!isClosed(error)) throw error
    throw new HoldfastError('STORE_FAILED', 'the database is being opened again', 'try again', error)
  }
  const opened = <Found>(use: () => Found): Found => {
    try {
      return use()
    } catch (error) {
      return heard(error)
    }
  }
  type Iterator = ReturnType<ClassicLevel<Buffer, Buffer>['iterator']>
  const getSync = (key: Buffer): Buffer | undefined => opened(() => level.getSync(key))
  const iterate = (...args: unknown[]): Iterator => {
    const iterator = opened(() => (level.iterator as (...all: unknown[]) => Iterator).apply(level, args))
    const [next, nextv] = [iterator.next.bind(iterator), iterator.nextv.bind(iterator)]
    iterator.next = () => next().catch(heard)
    iterator.nextv = (size: number) => nextv(size).catch(heard)
    return iterator
  }
  // Everything else is LevelDB's own.
  return new Proxy(level, {
    get: (target, name) => {
      if (name === 'getSync') return getSync
      if (name === 'iterator') return iterate
      const value = Reflect.get(target, name) as unknown
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

/** A reader that was in the middle of it when the database was closed to be opened again. */
const isClosed = (error: unknown): boolean => /^LEVEL_(ITERATOR|DATABASE)_NOT_OPEN$/.test(systemCode(error) ?? '')

/** Damaged contents, or files that cannot be read: not a full disk, a lock, or a database that is being closed. */
export function isCorruption(error: unknown): boolean {
  if (systemCode(error) === 'LEVEL_CORRUPTION' || systemCode(error) === 'STORE_DAMAGED') return true
  return systemCode(error) === 'LEVEL_IO_ERROR' && !/no space/i.test(messageOf(error))
}
