/**
 * From a gateway to its hub: whether they talk, and whether what the gateway acknowledged has come there, whatever link is
 * between them.
 */
import assert from 'node:assert/strict'
import type { ReadingForm } from '../../runtime/api/forms.ts'
import { eventually, type Program } from './programs.ts'
import type { Publisher } from './publisher.ts'

/** Above the limit of the cloud, or above 8, a temperature is an alert. */
export const rules = `
groups:
  - name: cold-store
    rules:
      - alert: TooWarm
        match: { metric: temperature }
        above: { table: thresholds, key: limit, default: 8 }
`

export type Ends = { readonly hub: Program; readonly gateway: Program; readonly publisher: Publisher }

export async function talking(gateway: Program): Promise<void> {
  await eventually(async () => assert.equal((await gateway.bridge()).state, 'talking'))
}

export async function offline(gateway: Program): Promise<void> {
  await eventually(async () => assert.notEqual((await gateway.bridge()).state, 'talking'))
}

/** Everything of a reading that travels. */
export const journey = (reading: ReadingForm): unknown[] => [
  reading.seq,
  reading.origin,
  reading.stamp,
  reading.device,
  reading.value,
  reading.id,
  reading.arrival_ms,
]

/** The hub holds the readings and alerts of the gateway: all, once, in the gateway's order; and nothing is left to send. */
export async function arrived({ hub, gateway, publisher }: Ends): Promise<readonly ReadingForm[]> {
  const ours = await gateway.readings()
  assert.deepEqual(
    ours.map(({ id }) => id),
    publisher.acknowledged,
    'the gateway itself has not what it acknowledged',
  )
  await eventually(async () => {
    assert.deepEqual((await hub.readings()).map(journey), ours.map(journey))
    assert.deepEqual(await contents(hub, 'alerts'), await contents(gateway, 'alerts'))
    const { streams } = await gateway.bridge()
    assert.deepEqual(
      streams.map(({ behind, parked }) => [behind, parked]),
      streams.map(() => [0, 0]),
    )
  })
  return ours
}

export const contents = async (program: Program, table: string): Promise<unknown[]> =>
  (await program.rows(table)).map(({ key, value, stamp, origin }) => ({ key, value, stamp, origin }))
