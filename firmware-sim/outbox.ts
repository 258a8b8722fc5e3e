/**
 * What a device still has to deliver: a short line of messages waiting and a window of messages on their way. Both are
 * bounded. A message leaves only when it is delivered; a lost connection puts everything on its way back in front, so
 * that it goes again oldest first. It never drops what it has taken: when full, it says no.
 */
export type Outbox<T> = {
  /** False if there is no room: the caller counts what is lost. */
  put: (message: T) => boolean
  /** The oldest message that waits, now on its way; undefined if there is none or the window is full. */
  take: () => T | undefined
  delivered: (message: T) => void
  /** What was on its way waits again, in front; what does not go again (QoS 0) is forgotten. */
  connectionLost: (goesAgain: (message: T) => boolean) => void
  onTheirWay: () => number
  /** Waiting and on their way. */
  size: () => number
  hasRoom: () => boolean
  /** Everything not delivered, oldest first. */
  all: () => T[]
}

export function createOutbox<T extends object>(limits: { windowMax: number; outboxMax: number }): Outbox<T> {
  let waiting: T[] = []
  // A set keeps the order in which its members went out.
  const onTheirWay = new Set<T>()
  const size = (): number => waiting.length + onTheirWay.size
  const hasRoom = (): boolean => size() < limits.outboxMax
  return {
    put: message => {
      if (!hasRoom()) return false
      waiting.push(message)
      return true
    },
    take: () => {
      if (onTheirWay.size >= limits.windowMax) return undefined
      const message = waiting.shift()
      if (message !== undefined) onTheirWay.add(message)
      return message
    },
    delivered: message => {
      onTheirWay.delete(message)
    },
    connectionLost: goesAgain => {
      waiting = [...[...onTheirWay].filter(goesAgain), ...waiting]
      onTheirWay.clear()
    },
    onTheirWay: () => onTheirWay.size,
    size,
    hasRoom,
    all: () => [...onTheirWay, ...waiting],
  }
}
