/** The alert rules in force by their id, looked up anew only when another set of them came into force. */
import type { AlertRule, Rule } from '../../../rules/rule.ts'

export function rulesById(rules: () => readonly Rule[]): (id: string) => AlertRule | undefined {
  let known: readonly Rule[] | undefined
  let byId: ReadonlyMap<string, AlertRule> = new Map()
  return id => {
    const now = rules()
    if (now !== known) {
      byId = new Map(now.flatMap(rule => (rule.kind === 'alert' ? [[rule.id, rule] as const] : [])))
      known = now
    }
    return byId.get(id)
  }
}
