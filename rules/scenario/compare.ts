/** What a test expected against what there was. Pure. */
import type { Json } from '../../runtime/reading.ts'
import { matchesPattern } from '../match.ts'
import { compareAlerts, type Hindsight, isSame, shown } from './compare-alerts.ts'
import type { Difference, Failure } from './failure.ts'
import { sinceStart } from './moments.ts'
import { printSeriesName } from './names.ts'
import type { Expectation } from './scenario.ts'
import type { SeenMessage, Sight } from './seen.ts'

export function compare(expectation: Expectation, sight: Sight, hindsight: Hindsight): readonly Failure[] {
  switch (expectation.kind) {
    case 'alerts':
      return compareAlerts(expectation, sight.alerts, hindsight)
    case 'readings':
      return compareReadings(expectation, sight)
    case 'published':
      return compareMessages(expectation, sight.messages, hindsight.startMs)
  }
}

/** The newest readings of each series, as many as are expected; where none are, there must be none. */
function compareReadings({ at, series }: Extract<Expectation, { kind: 'readings' }>, { readings }: Sight): Failure[] {
  return series.flatMap((each, index): Failure[] => {
    const all = readings[index] ?? []
    const newest = each.values.length === 0 ? all : all.slice(-each.values.length)
    const differences: Difference[] = []
    for (let place = 0; place < Math.max(each.values.length, newest.length); place++) {
      // From the newest back, so that a reading that is missing at the beginning is not blamed on all others.
      const expected = each.values.at(each.values.length - 1 - place)
      const was = newest.at(newest.length - 1 - place)?.value
      const wanted = place < each.values.length ? expected : undefined
      const there = place < newest.length ? was : undefined
      if (wanted !== undefined && there !== undefined && isSame(wanted, there)) continue
      differences.unshift({
        field: place === 0 ? 'newest' : `${place} before`,
        expected: wanted === undefined ? 'none' : shown(wanted),
        was: there === undefined ? 'none' : shown(there),
        hint: undefined,
      })
    }
    if (differences.length === 0) return []
    const what = printSeriesName(each.series)
    const about = { evalTime: at.text, evalMs: at.ms, about: each.table }
    return [{ ...about, kind: 'different', what, differences, hint: `${all.length} readings in all` }]
  })
}

/** What the gateway says of its own alerts is no action. */
const ownTopics = 'holdfast/*'

function compareMessages(
  { at, topic, messages: expected }: Extract<Expectation, { kind: 'published' }>,
  seen: readonly SeenMessage[],
  startMs: number,
): Failure[] {
  const present = seen.filter(each =>
    topic === undefined ? !matchesPattern(ownTopics, each.topic) : matchesPattern(topic, each.topic),
  )
  const base = { evalTime: at.text, evalMs: at.ms, about: topic }
  return Array.from({ length: Math.max(expected.length, present.length) }, (_, index) => index).flatMap(
    (index): Failure[] => {
      const [wanted, was] = [expected[index], present[index]]
      const what = `message ${index + 1}`
      if (!wanted && was) {
        const hint = `at ${sinceStart(was.atMs, startMs)} on ${was.topic}: ${shown(was.payload)}`
        return [{ ...base, kind: 'unexpected', what, differences: [], hint }]
      }
      if (wanted && !was)
        return [{ ...base, kind: 'missing', what, differences: [], hint: `expected on ${wanted.topic}` }]
      const differences = wanted && was ? messageDifferences(wanted, was) : []
      return differences.length === 0 ? [] : [{ ...base, kind: 'different', what, differences, hint: undefined }]
    },
  )
}

function messageDifferences(
  wanted: { readonly topic: string; readonly payload: Json | undefined },
  was: SeenMessage,
): Difference[] {
  const differences: Difference[] = []
  if (wanted.topic !== was.topic)
    differences.push({ field: 'topic', expected: wanted.topic, was: was.topic, hint: undefined })
  if (wanted.payload !== undefined && !isSame(wanted.payload, was.payload))
    differences.push({ field: 'payload', expected: shown(wanted.payload), was: shown(was.payload), hint: undefined })
  return differences
}
