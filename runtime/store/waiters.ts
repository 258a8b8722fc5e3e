/** Followers asleep at the head of a log, by table. */
export class Waiters {
  readonly #byTable = new Map<string, Set<() => void>>()

  /** Sleeps until the table grows or the signal aborts. */
  sleep(table: string, signal: AbortSignal): Promise<void> {
    const waiters = this.#byTable.get(table) ?? new Set()
    this.#byTable.set(table, waiters)
    return new Promise(resolve => {
      const wake = (): void => {
        waiters.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      waiters.add(wake)
      signal.addEventListener('abort', wake)
    })
  }

  wake(table: string): void {
    for (const wake of this.#byTable.get(table) ?? []) wake()
  }

  wakeAll(): void {
    for (const table of this.#byTable.keys()) this.wake(table)
  }
}
