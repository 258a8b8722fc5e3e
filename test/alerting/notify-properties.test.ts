/** Whatever happens to alerts, and however often the gateway restarts meanwhile, the same is told and done. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Notifying, minuteMs, publishes, ruleOf } from './notifying.ts'

const devices = ['a', 'b', 'c']
type Step =
  | { readonly kind: 'fire' | 'acknowledge' | 'latch' | 'resolve' | 'rewrite'; readonly device: string }
  | { readonly kind: 'silence'; readonly device: string; readonly minutes: number }
  | { readonly kind: 'unsilence' }
  | { readonly kind: 'passes'; readonly minutes: number }

const device = fc.constantFrom(...devices)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('fire', 'resolve'), device }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('acknowledge', 'latch', 'rewrite'), device }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('silence'), device, minutes: fc.integer({ min: 1, max: 30 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('unsilence') }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('passes'), minutes: fc.integer({ min: 1, max: 12 }) }) },
) as fc.Arbitrary<Step>

class Story {
  readonly house = new Notifying()
  readonly #open = new Map<string, { readonly key: string; isLatched: boolean }>()
  #silences = 0

  async begin(): Promise<void> {
    const { house } = this
    house.options = { alerts: { renotifyMs: undefined, groupBy: ['site'], groupWaitMs: 2 * minuteMs } }
    const write = { kind: 'write', table: 'log', key: '{{ $device }}', row: '{{ $state }}' } as const
    const actions = [
      publishes('siren/{{ $device }}', '{{ $state }}', { on: ['firing', 'resolved'], repeatMs: 5 * minuteMs }),
      { on: ['firing', 'resolved'], repeatMs: undefined, does: write } as const,
    ]
    house.rules = [ruleOf({ renotifyMs: 10 * minuteMs, actions })]
    await house.openStore()
    house.open()
  }

  async go(step: Step): Promise<void> {
    const { house } = this
    if (step.kind === 'passes') return house.passes(step.minutes * minuteMs)
    if (step.kind === 'silence')
      return house.silence(`s-${++this.#silences}`, { device: step.device }, step.minutes * minuteMs)
    if (step.kind === 'unsilence') {
      const row = house.store.latest('silences', `s-${this.#silences}`)
      if (row) await house.store.commit([{ kind: 'delete', table: 'silences', key: row.key }], 'now')
      return
    }
    const known = this.#open.get(step.device)
    if (step.kind === 'fire') {
      house.nowMs++
      if (!known) this.#open.set(step.device, { key: await house.alert({ device: step.device }), isLatched: false })
      return
    }
    if (!known) return
    if (step.kind === 'rewrite') return house.change(known.key, { snippet: null })
    if (step.kind === 'acknowledge' && !known.isLatched)
      return house.change(known.key, { acked_ms: house.nowMs, acked_by: 'x' })
    if (step.kind === 'latch') {
      known.isLatched = true
      return house.change(known.key, { state: 'latched' })
    }
    this.#open.delete(step.device)
    await house.resolve(known.key)
  }
}

/** What was told about each device, in order, and about groups; and how often a row was written. */
async function told(story: Story): Promise<{ readonly [about: string]: readonly string[] }> {
  await story.house.notifier.settled()
  const about: Record<string, string[]> = {}
  for (const { topic, payload } of story.house.told) {
    const { event, notification } = topic.startsWith('siren') ? {} : (JSON.parse(payload) as Record<string, string>)
    ;(about[topic] ??= []).push(event === undefined ? payload : `${event} ${notification}`)
  }
  return { ...about, rows: [String(story.house.store.head('log'))] }
}

test('restarts between any two steps change nothing of what is told, of what is done, and of its order', async () => {
  const steps = fc.array(fc.record({ step, restarts: fc.boolean() }), { minLength: 5, maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(steps, async story => {
      const [smooth, bumpy] = [new Story(), new Story()]
      for (const one of [smooth, bumpy]) await one.begin()
      try {
        for (const { step, restarts } of story) {
          for (const one of [smooth, bumpy]) {
            await one.go(step)
            // Groups are told at most once a second; when they were is not kept over a restart.
            await one.house.passes(1_000)
          }
          if (restarts) await bumpy.house.restart()
        }
        assert.deepEqual(await told(bumpy), await told(smooth))
      } finally {
        for (const one of [smooth, bumpy]) await one.house.close()
      }
    }),
    { numRuns: 100 },
  )
})

test('crashes that forget what was not on the disk yet tell and do nothing less, and write no row twice', async () => {
  const steps = fc.array(fc.record({ step, crashes: fc.boolean() }), { minLength: 5, maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(steps, async story => {
      const [smooth, bumpy] = [new Story(), new Story()]
      for (const one of [smooth, bumpy]) await one.begin()
      try {
        for (const { step, crashes } of story) {
          for (const one of [smooth, bumpy]) await one.house.notifier.settled()
          const before = bumpy.house.saved()
          for (const one of [smooth, bumpy]) {
            await one.go(step)
            await one.house.notifier.settled()
          }
          // Rows that were written stay, with the note that they were: the two are one commit.
          if (crashes && step.kind === 'passes') await bumpy.house.crash(before)
        }
        const [expected, found] = [await told(smooth), await told(bumpy)]
        assert.deepEqual(Object.keys(found).toSorted(), Object.keys(expected).toSorted())
        for (const [about, all] of Object.entries(expected)) {
          // Without the repetitions of one and the same, in the same order.
          const once = (list: readonly string[] = []): string[] => list.filter((text, at) => text !== list[at - 1])
          if (about.startsWith('holdfast/alerts')) assert.deepEqual(once(found[about]), once(all), about)
          else assert.ok((found[about]?.length ?? 0) >= all.length, about)
        }
        assert.deepEqual(found['rows'], expected['rows'])
      } finally {
        for (const one of [smooth, bumpy]) await one.house.close()
      }
    }),
    { numRuns: 100 },
  )
})
