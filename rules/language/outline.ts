/**
 * A rule file as checks look at it: whatever stands there, right or wrong, without complaint. What has the wrong form is
 * simply absent, so that faults of meaning are found in the same pass as those of form, and nobody is blamed twice for one
 * mistake.
 */
import type { Finding, Path, Read } from '../../runtime/document.ts'

/** The keys of a rule, as they stand in the file. */
export type RuleOutline = Readonly<Record<string, unknown>>

export type GroupOutline = {
  readonly path: Path
  readonly keys: RuleOutline
  readonly rules: readonly { readonly path: Path; readonly keys: RuleOutline }[]
}

export type FileOutline = {
  readonly file: string
  readonly at: Read['at']
  readonly groups: readonly GroupOutline[]
}

/** Half a problem: where in its file, and the sentence. */
export type Fault = Finding

export function outlineOf(file: string, { plain, at }: Read): FileOutline {
  const groups = listOf(mapOf(plain)?.['groups']).flatMap(({ value: keys, index }): GroupOutline[] => {
    const path = ['groups', index]
    const rules = listOf(keys['rules']).map(rule => ({ path: [...path, 'rules', rule.index], keys: rule.value }))
    return [{ path, keys, rules }]
  })
  return { file, at, groups }
}

/** A key that stands there, even if nothing stands behind it. */
export function has(keys: RuleOutline, key: string): boolean {
  return Object.hasOwn(keys, key)
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

export function mapOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return value as Readonly<Record<string, unknown>>
}

/** The texts among the values of a map, such as labels. */
export function textsOf(value: unknown): Readonly<Record<string, string>> {
  const texts = Object.entries(mapOf(value) ?? {}).flatMap(([key, text]) =>
    typeof text === 'string' ? [[key, text]] : [],
  )
  return Object.fromEntries(texts) as Readonly<Record<string, string>>
}

/** The items of a list that are maps, with their places. */
export function listOf(value: unknown): { readonly value: RuleOutline; readonly index: number }[] {
  if (!Array.isArray(value)) return []
  return value.flatMap((item, index) => {
    const map = mapOf(item)
    return map ? [{ value: map, index }] : []
  })
}
