/**
 * A YAML file checked against a schema: every problem at once, each with line, column and, for an unknown key, the
 * nearest known one. Config and rule files are both read through here. Pure: text in, value or problems out.
 */
import { z } from 'zod'
import { type LineColumn, type Path, type Place, readYaml } from './yaml-text.ts'

export type { LineColumn, Path } from './yaml-text.ts'

/** One thing wrong in a file: where (1-based; line 0 where there are no lines) and a sentence: what, and what to do. */
export type Problem = {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly message: string
}

export type Checked<T> =
  | { readonly ok: true; readonly value: T; readonly at: (path: Path) => LineColumn; readonly read: Read }
  /** `read` is undefined where the text is not even YAML. */
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly read: Read | undefined }

/** What stands in a file, right or wrong, for whoever looks at several files together. */
export type Read = {
  readonly plain: unknown
  readonly at: (place: Place) => LineColumn
}

/** Something wrong that no schema can know, such as a name that stands nowhere else in the file. */
export type Finding = Place & { readonly message: string }

export type CheckOptions<T> = {
  /** Changes the plain value before the schema sees it: what the environment overrides. */
  readonly amend?: (plain: unknown) => unknown
  /** Looks at the file as a whole. It gets the top-level sections that are right by themselves, so that one mistake hides no other. */
  readonly inspect?: (sections: Partial<T>) => readonly Finding[]
}

/** Larger files are refused unread: nobody writes one by hand (a bound against hostile input). */
export const documentBytesMax = 256 * 1024

/** Problems listed of one file: a file that is one big mistake must not cost minutes to describe. */
export const documentProblemsMax = 100

export function checkDocument<T>(
  file: string,
  text: string,
  schema: z.ZodType<T>,
  { amend = plain => plain, inspect = () => [] }: CheckOptions<T> = {},
): Checked<T> {
  if (Buffer.byteLength(text) > documentBytesMax) {
    const problem = { file, line: 1, column: 1, message: `larger than ${documentBytesMax} bytes` }
    return { ok: false, problems: [problem], read: undefined }
  }
  const yaml = readYaml(text)
  if (!yaml.ok) return { ok: false, problems: listed(yaml.faults.map(fault => ({ file, ...fault }))), read: undefined }
  const { at } = yaml
  const plain = amend(yaml.plain)
  const result = schema.safeParse(plain, { error: plainWords })
  const findings = inspect(result.success ? result.data : soundSections(schema, plain))
  if (result.success && findings.length === 0) {
    return { ok: true, value: result.data, at: path => at({ path }), read: { plain, at } }
  }
  const issues = result.success ? [] : result.error.issues.slice(0, documentProblemsMax + 1)
  const problems = [...issues.flatMap(issue => sentences(issue, schema, plain)), ...findings].map(
    ({ message, ...place }) => ({ file, ...at(place), message }),
  )
  return { ok: false, problems: listed(problems), read: { plain, at } }
}

/** The top-level sections that the schema accepts one by one. */
function soundSections<T>(schema: z.ZodType<T>, plain: unknown): Partial<T> {
  const { shape } = schema.def as { shape?: Record<string, z.ZodType> }
  if (!shape || typeof plain !== 'object' || plain === null) return {}
  const sound = Object.entries(shape).flatMap(([key, section]) => {
    const result = section.safeParse((plain as Record<string, unknown>)[key])
    return result.success ? [[key, result.data]] : []
  })
  return Object.fromEntries(sound) as Partial<T>
}

/** In reading order; past the bound one last line says that there are more. */
export function listed(problems: readonly Problem[]): Problem[] {
  const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column)
  const next = sorted[documentProblemsMax]
  if (!next) return sorted
  return [...sorted.slice(0, documentProblemsMax), { ...next, message: 'and more problems from here on' }]
}

/** `rules.yaml:3:7: message`, the form that editors and terminals make clickable. */
export function formatProblem(problem: Problem): string {
  if (problem.line === 0) return `${problem.file}: ${problem.message}`
  return `${problem.file}:${problem.line}:${problem.column}: ${problem.message}`
}

/** The known name closest to what was typed, if any is close enough to be meant (edit distance at most a third). */
export function nearestName(typed: string, known: Iterable<string>): string | undefined {
  if (typed.length > 256) return undefined
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(typed.length / 3)) + 1
  for (const name of known) {
    const distance = editDistance(typed.toLowerCase(), name.toLowerCase())
    if (distance < bestDistance) [best, bestDistance] = [name, distance]
  }
  return best
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

function sentences(issue: z.core.$ZodIssue, schema: z.ZodType, plain: unknown): Finding[] {
  const path = issue.path.map(step => (typeof step === 'symbol' ? String(step) : step))
  const name = path.at(-1)
  const where = name === undefined ? '' : typeof name === 'number' ? `item ${name + 1}: ` : `"${name}": `
  if (issue.code !== 'custom' && typeof name === 'string' && valueAt(plain, path) === undefined) {
    return [{ path: path.slice(0, -1), message: `the key "${name}" is missing` }]
  }
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = knownKeys(schema, path, plain)
      return issue.keys.slice(0, documentProblemsMax + 1).map(key => ({
        path: [...path, key],
        message: `unknown key "${key.slice(0, 80)}"${keyHint(key, known)}`,
        onKey: true,
      }))
    }
    case 'invalid_union': {
      const branches = issue.errors.filter(branch => branch.length > 0)
      const deepest = branches.toSorted((a, b) => depth(b) - depth(a))[0]
      if (deepest && depth(deepest) > 0) {
        return deepest.flatMap(inner => sentences({ ...inner, path: [...issue.path, ...inner.path] }, schema, plain))
      }
      return [{ path, message: where + (issue.message === unionWords ? alternatives(branches) : issue.message) }]
    }
    case 'invalid_key':
      return [{ path, message: where + (issue.issues[0]?.message ?? issue.message), onKey: true }]
    default:
      return [{ path, message: where + issue.message }]
  }
}

function keyHint(key: string, known: readonly string[]): string {
  const nearest = nearestName(key, known)
  if (nearest !== undefined) return `; did you mean "${nearest}"?`
  return known.length > 0 ? `; known keys: ${known.join(', ')}` : ''
}

/** Stands in where a union has no sentence of its own; its branches speak instead. */
const unionWords = 'none of the forms that this takes'

/** The schema library's own complaints in plain words. Sentences that a schema brings along come before these. */
export const plainWords: z.core.$ZodErrorMap = issue => {
  switch (issue.code) {
    case 'invalid_type':
      return expectedWords(issue.expected, issue.input)
    case 'invalid_value':
      return choiceWords(issue.values, issue.input)
    case 'too_small':
      return boundWords(issue.origin, 'at least', issue.minimum)
    case 'too_big':
      return boundWords(issue.origin, 'at most', issue.maximum)
    case 'invalid_union':
      if (!Array.isArray(issue.options) || typeof issue.discriminator !== 'string') return unionWords
      return choiceWords(issue.options, valueAt(issue.input, [issue.discriminator]))
    case 'invalid_format':
      return issue.format === 'regex'
        ? `must look like ${issue.pattern ?? 'another text'}`
        : `is not of the form ${issue.format}`
    default:
      return undefined
  }
}

function choiceWords(options: readonly unknown[], input: unknown): string {
  const names = options.filter(option => option !== undefined).map(String)
  const nearest = typeof input === 'string' ? nearestName(input, names) : undefined
  return `must be ${anyOf(names)}${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`
}

/** `a, b or c`. */
export function anyOf(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
}

const kindWords: ReadonlyMap<string, string> = new Map([
  ['string', 'a text'],
  ['number', 'a number'],
  ['int', 'a whole number'],
  ['boolean', 'true or false'],
  ['array', 'a list'],
  ['object', 'keys with values'],
  ['record', 'keys with values'],
])

function expectedWords(expected: string, input: unknown): string {
  const wanted = kindWords.get(expected) ?? expected
  if (input === null) return `nothing stands here; expected ${wanted}`
  const given = kindWords.get(Array.isArray(input) ? 'array' : typeof input) ?? typeof input
  if (expected === 'string' && typeof input !== 'object') return `expected a text, not ${given}: put it in quotes`
  const quoted =
    (expected === 'number' || expected === 'int') && typeof input === 'string' && Number.isFinite(Number(input))
  if (quoted && input.trim() !== '') return `expected ${wanted}, not a text: leave the quotes out`
  // A NaN is of the right type and still no number.
  return given === wanted ? `expected ${wanted}` : `expected ${wanted}, not ${given}`
}

function boundWords(origin: string, bound: string, limit: number | bigint): string {
  if (origin === 'string') return `must have ${bound} ${limit} ${limit === 1 ? 'character' : 'characters'}`
  if (origin === 'array' || origin === 'set') return `must have ${bound} ${limit} ${limit === 1 ? 'item' : 'items'}`
  return `must be ${bound} ${limit}`
}

/** What the branches of a union say: those alone that the value is of the right type for, if there are any. */
function alternatives(branches: readonly (readonly z.core.$ZodIssue[])[]): string {
  const first = branches.flatMap(branch => branch.slice(0, 1))
  const ofType = first.filter(issue => issue.code !== 'invalid_type')
  return [...new Set((ofType.length > 0 ? ofType : first).map(issue => issue.message))].join('; or ')
}

function depth(issues: readonly z.core.$ZodIssue[]): number {
  return Math.max(...issues.map(issue => issue.path.length + (issue.code === 'unrecognized_keys' ? 1 : 0)))
}

function valueAt(plain: unknown, path: Path): unknown {
  let value = plain
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Record<string | number, unknown>)[step]
  }
  return value
}

/** The keys that the schema knows at a path, looking through optionals, defaults, unions and records. */
function knownKeys(schema: z.ZodType, path: Path, plain: unknown): string[] {
  let nodes = unwrap(schema, plain)
  for (const [index, step] of path.entries()) {
    const value = valueAt(plain, path.slice(0, index + 1))
    nodes = nodes.flatMap(node => {
      const def = node.def as { shape?: Record<string, z.ZodType>; element?: z.ZodType; valueType?: z.ZodType }
      const inShape = def.shape && Object.hasOwn(def.shape, step) ? def.shape[step] : undefined
      const child = typeof step === 'number' ? def.element : (inShape ?? def.valueType)
      return child ? unwrap(child, value) : []
    })
  }
  const shapes = nodes.map(node => (node.def as { shape?: Record<string, z.ZodType> }).shape ?? {})
  return [...new Set(shapes.flatMap(shape => Object.keys(shape).filter(key => !isRefused(shape[key]))))]
}

/** A key that a schema names only to refuse it with a sentence of its own (`z.never`) is not one to suggest. */
function isRefused(schema: z.ZodType | undefined): boolean {
  return schema !== undefined && unwrap(schema).every(node => node.def.type === 'never')
}

/** The schemas that a schema stands for. Where a key of the value tells the options of a union apart, only that option. */
function unwrap(schema: z.ZodType, value?: unknown): z.ZodType[] {
  const def = schema.def as {
    innerType?: z.ZodType
    options?: z.ZodType[]
    in?: z.ZodType
    getter?: () => z.ZodType
    discriminator?: string
  }
  if (def.innerType) return unwrap(def.innerType, value)
  if (def.in) return unwrap(def.in, value)
  if (def.getter) return unwrap(def.getter(), value)
  if (!def.options) return [schema]
  const { discriminator } = def
  const told =
    discriminator === undefined
      ? undefined
      : def.options.find(option =>
          option._zod.propValues?.[discriminator]?.has(valueAt(value, [discriminator]) as string),
        )
  return (told ? [told] : def.options).flatMap(option => unwrap(option, value))
}
