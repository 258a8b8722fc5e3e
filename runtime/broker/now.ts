/**
 * A promise that is kept at once. aedes numbers a publish before it asks the persistence, and a subscriber drops a
 * lower number that comes after a higher one: with true promises a QoS 1 or retained publish that is followed by a
 * QoS 0 one in the same turn would be overtaken by it, and lost to the subscriber.
 */
export function now<T>(value: T): PromiseLike<T> {
  return {
    // oxlint-disable-next-line unicorn/no-thenable -- being a thenable is its purpose
    then<A, B>(kept?: ((value: T) => A | PromiseLike<A>) | null): PromiseLike<A | B> {
      if (!kept) return now(value) as unknown as PromiseLike<A | B>
      const next = kept(value)
      return isThenable(next) ? next : now(next)
    },
  }
}

function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
