/**
 * YAML text checked against a schema: every problem at once, each with line and column, and an unknown key with the
 * nearest known one. This room is usable alone against any broker, so it brings its own reader instead of the
 * gateway's. Pure: text in, value or problems out; it never throws.
 */
import { LineCounter, parseDocument, type Document } from 'yaml'
import type { z } from 'zod'

type Path = readonly (string | number)[]

/** One thing wrong, where (1-based) and what to do about it. */
export type Problem = { file: string; line: number; column: number; message: string }

/** A problem before it has a place: `onKey` points at the key itself, not at its value. */
export type Complaint = { path: Path; message: string; onKey?: boolean }

export type Checked<T> = { ok: true; value: T } | { ok: false; problems: Problem[] }

/** Larger plans are refused unread: nobody writes one by hand. */
const planBytesMax = 256 * 1024

/** `plan.yaml:3:7: message`, the form that editors and terminals make clickable. */
export function formatProblem({ file, line, column, message }: Problem): string {
  return `${file}:${line}:${column}: ${message}`
}

/** `extra` finds what a schema cannot say (two groups that meet); it sees the plain value even when the schema fails. */
export function checkText<T>(
  file: string,
  text: string,
  schema: z.ZodType<T>,
  extra: (plain: unknown) => Complaint[],
): Checked<T> {
  const lines = new LineCounter()
  const failed = (problems: Omit<Problem, 'file'>[]): Checked<T> => ({
    ok: false,
    problems: problems
      .map(problem => ({ file, ...problem }))
      .toSorted((a, b) => a.line - b.line || a.column - b.column),
  })
  if (Buffer.byteLength(text) > planBytesMax) {
    return failed([{ line: 1, column: 1, message: `larger than ${planBytesMax} bytes` }])
  }
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  const faults = [...document.errors, ...document.warnings]
  if (faults.length > 0) {
    return failed(faults.map(fault => ({ ...placeAt(lines, fault.pos[0]), message: fault.message })))
  }
  let plain: unknown
  try {
    plain = document.toJS() ?? {}
  } catch (error) {
    return failed([{ line: 1, column: 1, message: error instanceof Error ? error.message : String(error) }])
  }
  const result = schema.safeParse(plain)
  const complaints = [
    ...(result.success ? [] : result.error.issues.flatMap(issue => complaintsOf(issue, schema, plain))),
    ...extra(plain),
  ]
  if (result.success && complaints.length === 0) return { ok: true, value: result.data }
  return failed(complaints.map(complaint => ({ ...place(document, lines, complaint), message: complaint.message })))
}

/** The known name closest to what was typed, if one is close enough to be meant. */
function nearestName(typed: string, known: readonly string[]): string | undefined {
  // At least one letter must be right: nobody who wrote 3 meant 0.
  const farthest = Math.min(typed.length - 1, Math.max(2, Math.floor(typed.length / 3)))
  return known
    .map(name => ({ name, distance: editDistance(typed.toLowerCase(), name.toLowerCase()) }))
    .filter(({ distance }) => distance <= farthest)
    .toSorted((a, b) => a.distance - b.distance)[0]?.name
}

/** ` did you mean "x"?`, or the names there are; one sentence end for every "I do not know this name". */
export function nameHint(typed: string, known: readonly string[]): string {
  const nearest = nearestName(typed, known)
  return nearest === undefined ? `; known: ${known.join(', ')}` : `; did you mean "${nearest}"?`
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

function complaintsOf(issue: z.core.$ZodIssue, schema: z.ZodType, plain: unknown): Complaint[] {
  const path = issue.path.map(step => (typeof step === 'symbol' ? String(step) : step))
  const name = path.at(-1)
  const given = valueAt(plain, path)
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, plain, path)
    return issue.keys.map(key => ({
      path: [...path, key],
      message: `unknown key "${key}"${nameHint(key, known)}`,
      onKey: true,
    }))
  }
  if (given === undefined && name !== undefined) {
    return [{ path: path.slice(0, -1), message: `the key "${name}" is missing` }]
  }
  const where = typeof name === 'string' ? `"${name}": ` : typeof name === 'number' ? `item ${name + 1}: ` : ''
  const choices = choicesOf(issue)
  const message = choices
    ? typeof given === 'string'
      ? `unknown name "${given}"${nameHint(given, choices)}`
      : `must be one of ${choices.join(', ')}`
    : issue.message.replace(/^Invalid input: /, '')
  return [{ path, message: `${where}${message}` }]
}

/** The words that would have been right, where the schema wants one of a few. */
function choicesOf(issue: z.core.$ZodIssue): string[] | undefined {
  if (issue.code === 'invalid_value') return issue.values.map(String)
  if (issue.code === 'invalid_union' && 'options' in issue && Array.isArray(issue.options)) {
    return issue.options.map(String)
  }
  return undefined
}

function valueAt(plain: unknown, path: Path): unknown {
  let value = plain
  for (const step of path) value = (value as Record<string | number, unknown> | null | undefined)?.[step]
  return value
}

type Definition = {
  innerType?: z.ZodType
  in?: z.ZodType
  options?: z.ZodType[]
  discriminator?: string
  shape?: Record<string, z.ZodType>
  element?: z.ZodType
  valueType?: z.ZodType
}

/** The keys that the schema knows at a path; in a union, those of the branch that the written discriminator picks. */
function keysAt(schema: z.ZodType, plain: unknown, path: Path): string[] {
  let nodes = branches(schema, plain)
  let value = plain
  for (const step of path) {
    value = valueAt(value, [step])
    nodes = nodes.flatMap(node => {
      const { element, shape, valueType } = node.def as Definition
      const child = typeof step === 'number' ? element : (shape?.[step] ?? valueType)
      return child === undefined ? [] : branches(child, value)
    })
  }
  return [...new Set(nodes.flatMap(node => Object.keys((node.def as Definition).shape ?? {})))]
}

function branches(schema: z.ZodType, value: unknown): z.ZodType[] {
  const { innerType, in: before, options, discriminator } = schema.def as Definition
  if (innerType) return branches(innerType, value)
  if (before) return branches(before, value)
  if (!options) return [schema]
  const picked = discriminator === undefined ? [] : options.filter(option => picks(option, discriminator, value))
  return (picked.length > 0 ? picked : options).flatMap(option => branches(option, value))
}

function picks(option: z.ZodType, discriminator: string, value: unknown): boolean {
  const wanted = (option.def as Definition).shape?.[discriminator]
  return wanted?.safeParse(valueAt(value, [discriminator])).success ?? false
}

/** The place of what a path names, or of the nearest thing around it that was written down. */
function place(document: Document, lines: LineCounter, { path, onKey }: Complaint): { line: number; column: number } {
  if (onKey) {
    const parent = document.getIn(path.slice(0, -1), true) as { items?: unknown[] } | undefined
    const pairs = (parent?.items ?? []) as { key?: { value?: unknown; range?: number[] } }[]
    const start = pairs.find(pair => String(pair.key?.value) === String(path.at(-1)))?.key?.range?.[0]
    if (start !== undefined) return placeAt(lines, start)
  }
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true)
    const start = (node as { range?: number[] } | null | undefined)?.range?.[0]
    if (start !== undefined) return placeAt(lines, start)
  }
  return { line: 1, column: 1 }
}

function placeAt(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset)
  return { line, column: col }
}
