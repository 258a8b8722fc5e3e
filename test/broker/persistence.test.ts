/** aedes-persistence's own suite, on our sessions over a real store. */
import { test } from 'node:test'
import abstractSuite from 'aedes-persistence/abstract.js'
import { defaultBrokerLimits } from '../../runtime/broker/limits.ts'
import { Persistence } from '../../runtime/broker/persistence.ts'
import { Sessions } from '../../runtime/broker/sessions.ts'
import { Tally } from '../../runtime/broker/tally.ts'
import { silentLog } from '../../runtime/log.ts'
import { diskPlace, memoryPlace } from '../store/homes.ts'

type Opened = { readonly persistence: Persistence; readonly close: () => Promise<void> }

async function open(place: ReturnType<typeof diskPlace>): Promise<Opened> {
  const store = await place.open({ commitIntervalMs: 0 })
  const clock = { monotonicMs: () => performance.now(), trustedMs: () => undefined }
  const sessions = await Sessions.open(defaultBrokerLimits, new Tally(silentLog, () => 0), { shelf: store, clock })
  const close = async (): Promise<void> => {
    await sessions.close()
    await store.close()
    place.remove()
  }
  return { persistence: new Persistence(sessions), close }
}

for (const [name, makePlace] of [
  ['on disk', diskPlace],
  ['in memory', memoryPlace],
] as const) {
  let opened: Opened | undefined
  abstractSuite({
    test: (title, run) => {
      void test(`${name}: ${title}`, async t => {
        t.after(() => opened?.close())
        await run(t)
      })
    },
    persistence: async () => {
      opened = await open(makePlace())
      return opened.persistence
    },
    testAsync: true,
  })
}
