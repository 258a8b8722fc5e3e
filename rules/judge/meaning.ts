/** What a rule makes of its subject as it is: the event for the state machine, or that there is none. Pure. */
import type { Value } from '../../runtime/reading.ts'
import type { RuleExpression } from '../expression/scope.ts'
import type { AlertRule } from '../rule.ts'
import type { Answers } from './answers.ts'
import type { Event, RuleState } from './evaluate.ts'
import { type LimitKeys, limitKeys, limitsEvent, type Lookup, unknown } from './threshold.ts'

const good: Event = { kind: 'good', value: null }
const clears: Event = { kind: 'clears', value: null }

/**
 * `value` is the newest of the subject; `answers` are laid out about it. Undefined where nothing can come of it: at rest
 * and not violated.
 */
export function meaningOf(
  { condition }: AlertRule,
  keys: LimitKeys | undefined,
  state: RuleState,
  value: Value | undefined,
  answers: Answers,
  lookup: Lookup,
): Event | undefined {
  switch (condition.kind) {
    case 'limits': {
      const number = condition.of ? condition.of.evaluate(answers) : value
      if (number === undefined) return condition.of ? unlessAtRest(state, unknown) : undefined
      const event = limitsEvent(condition, keys ?? limitKeys(condition, answers), number, lookup)
      return event.kind === 'violates' ? withRows(event, answers) : unlessAtRest(state, event)
    }
    case 'expression': {
      const isViolated = condition.violated.evaluate(answers)
      if (isViolated === true) {
        const violation = { side: null, value: value ?? null, threshold: null, source: null }
        return withRows({ kind: 'violates', violation }, answers)
      }
      if (state.kind === 'ok') return undefined
      if (isViolated === undefined) return unknown
      return mayClear(condition.clear, answers) ? valued(clears, value) : valued(good, value)
    }
    case 'absent':
      return value === undefined || state.kind === 'ok' ? undefined : { kind: 'clears', value }
  }
}

function mayClear(clear: RuleExpression | undefined, answers: Answers): boolean {
  return clear === undefined || clear.evaluate(answers) === true
}

function unlessAtRest(state: RuleState, event: Event): Event | undefined {
  return state.kind === 'ok' ? undefined : event
}

function withRows(event: Extract<Event, { kind: 'violates' }>, answers: Answers): Event {
  const lookedUp = answers.takeLookedUp()
  return lookedUp.length === 0 ? event : { ...event, violation: { ...event.violation, lookedUp } }
}

function valued(event: Event, value: Value | undefined): Event {
  return value === undefined ? event : ({ ...event, value } as Event)
}
