/** The suite that every persistence of aedes runs; the package has no types for it. */
declare module 'aedes-persistence/abstract.js' {
  import type { TestContext } from 'node:test'

  export default function abstractPersistence(options: {
    test: (title: string, run: (t: TestContext) => Promise<void>) => void
    persistence: () => Promise<unknown>
    testAsync: true
  }): void
}
