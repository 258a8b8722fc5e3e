/**
 * A YAML file checked against a schema: every problem at once, each with line, column and, for an unknown key, the
 * nearest known one. Config and rule files are both read through here. Pure: text in, value or problems out.
 */
import { isScalar, Lexer, LineCounter, Parser, parseDocument, visit, type Document as YamlDocument } from 'yaml'
import { z } from 'zod'

/** One thing wrong in a file: where (1-based) and a sentence that says what and what to do. */
export type Problem = {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly message: string
}

export type Path = readonly (string | number)[]

export type Checked<T> =
  | { readonly ok: true; readonly value: T; readonly at: (path: Path) => { line: number; column: number } }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** Larger files are refused unread: nobody writes one by hand (a bound against hostile input). */
export const documentBytesMax = 256 * 1024

/** Deeper nesting is refused before it is read: the parser recurses, and Node dies where its stack ends. */
export const documentDepthMax = 64

/** Problems listed of one file: a file that is one big mistake must not cost minutes to describe. */
export const documentProblemsMax = 100

export function checkDocument<T>(file: string, text: string, schema: z.ZodType<T>): Checked<T> {
  if (Buffer.byteLength(text) > documentBytesMax) {
    return { ok: false, problems: [{ file, line: 1, column: 1, message: `larger than ${documentBytesMax} bytes` }] }
  }
  const lines = new LineCounter()
  const deepAt = tooDeepAt(text)
  if (deepAt) {
    return {
      ok: false,
      problems: [{ file, ...deepAt, message: `nested more than ${documentDepthMax} levels deep` }],
    }
  }
  // The parser's own search for duplicate keys compares every pair: seconds for a file that is all keys.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false })
  const at = (path: Path): { line: number; column: number } => position(document, lines, path)
  const faults = [...document.errors, ...document.warnings, ...ownFaults(document)]
  if (faults.length > 0) {
    const problems = faults.map(fault => {
      const { line, col } = lines.linePos(fault.pos[0])
      return { file, line, column: col, message: fault.message }
    })
    return { ok: false, problems: listed(problems) }
  }
  const plain: unknown = document.toJS({ maxAliasCount: 0 }) ?? {}
  const result = schema.safeParse(plain)
  if (result.success) return { ok: true, value: result.data, at }
  const problems = result.error.issues
    .slice(0, documentProblemsMax + 1)
    .flatMap(issue => sentences(issue, schema, plain))
    .map(({ path, message, onKey }) => {
      const { line, column } = onKey ? keyPosition(document, lines, path) : at(path)
      return { file, line, column, message }
    })
  return { ok: false, problems: listed(problems) }
}

/** In reading order; past the bound one last line says that there are more. */
function listed(problems: readonly Problem[]): Problem[] {
  const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column)
  const next = sorted[documentProblemsMax]
  if (!next) return sorted
  return [...sorted.slice(0, documentProblemsMax), { ...next, message: 'and more problems from here on' }]
}

/** Where a text nests too deep, if it does: found with the token parser, which keeps its stack in an array. */
function tooDeepAt(text: string): { line: number; column: number } | undefined {
  const parser = new Parser()
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme)) continue
    if (parser.stack.length <= documentDepthMax) continue
    const before = text.slice(0, parser.offset).split('\n')
    return { line: before.length, column: (before.at(-1) ?? '').length + 1 }
  }
  return undefined
}

type Fault = { readonly pos: readonly [number, number]; readonly message: string }

/** What YAML allows and we refuse: a key written twice, `__proto__` (no schema would see it), and aliases. */
function ownFaults(document: YamlDocument): Fault[] {
  const faults: Fault[] = []
  const add = (range: readonly number[] | null | undefined, message: string): void => {
    faults.push({ pos: [range?.[0] ?? 0, range?.[1] ?? 0], message })
  }
  visit(document, {
    Map(_, map) {
      const seen = new Set<string>()
      for (const { key } of map.items) {
        if (!isScalar(key)) {
          add((key as { range?: number[] } | null)?.range, 'a key must be a plain name')
          continue
        }
        const name = String(key.value)
        if (name === '__proto__') add(key.range, 'the key "__proto__" is not allowed')
        else if (seen.has(name)) add(key.range, `the key "${name}" is written twice`)
        seen.add(name)
      }
    },
    Alias(_, alias) {
      add(alias.range, 'aliases (&name, *name) are not supported here: write the value out')
    },
  })
  return faults
}

/** `rules.yaml:3:7: message`, the form that editors and terminals make clickable. */
export function formatProblem(problem: Problem): string {
  return `${problem.file}:${problem.line}:${problem.column}: ${problem.message}`
}

/** The known name closest to what was typed, if any is close enough to be meant (edit distance at most a third). */
export function nearestName(typed: string, known: Iterable<string>): string | undefined {
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

type Sentence = { path: (string | number)[]; message: string; onKey?: boolean }

function sentences(issue: z.core.$ZodIssue, schema: z.ZodType, plain: unknown): Sentence[] {
  const path = issue.path.map(step => (typeof step === 'symbol' ? String(step) : step))
  const name = path.at(-1)
  const where = name === undefined ? '' : typeof name === 'number' ? `item ${name + 1}: ` : `"${name}": `
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = knownKeys(schema, path)
      return issue.keys.slice(0, documentProblemsMax + 1).map(key => {
        const nearest = nearestName(key, known)
        const hint = nearest
          ? `; did you mean "${nearest}"?`
          : known.length > 0
            ? `; known keys: ${known.join(', ')}`
            : ''
        return { path: [...path, key], message: `unknown key "${key}"${hint}`, onKey: true }
      })
    }
    case 'invalid_union': {
      const branches = issue.errors.filter(branch => branch.length > 0)
      const deepest = branches.toSorted((a, b) => depth(b) - depth(a))[0]
      if (deepest && depth(deepest) > 0) {
        return deepest.flatMap(inner => sentences({ ...inner, path: [...issue.path, ...inner.path] }, schema, plain))
      }
      return [
        {
          path,
          message: `${where}${issue.message === 'Invalid input' ? branches.map(branch => branch[0]?.message).join(', or ') : issue.message}`,
        },
      ]
    }
    case 'invalid_type':
      if (valueAt(plain, path) === undefined)
        return [{ path: path.slice(0, -1), message: `the key "${String(name)}" is missing` }]
      return [{ path, message: `${where}${issue.message}` }]
    default:
      return [{ path, message: `${where}${issue.message}` }]
  }
}

function depth(issues: readonly z.core.$ZodIssue[]): number {
  return Math.max(...issues.map(issue => issue.path.length + (issue.code === 'unrecognized_keys' ? 1 : 0)))
}

function valueAt(plain: unknown, path: Path): unknown {
  let value = plain
  for (const step of path) value = (value as Record<string | number, unknown> | null | undefined)?.[step]
  return value
}

/** The keys that the schema knows at a path, looking through optionals, defaults, unions and records. */
function knownKeys(schema: z.ZodType, path: Path): string[] {
  let nodes = unwrap(schema)
  for (const step of path) {
    nodes = nodes.flatMap(node => {
      const def = node.def as { shape?: Record<string, z.ZodType>; element?: z.ZodType; valueType?: z.ZodType }
      const child = typeof step === 'number' ? def.element : (def.shape?.[step] ?? def.valueType)
      return child ? unwrap(child) : []
    })
  }
  const shapes = nodes.map(node => (node.def as { shape?: Record<string, z.ZodType> }).shape ?? {})
  return [...new Set(shapes.flatMap(shape => Object.keys(shape).filter(key => !isRefused(shape[key]))))]
}

/** A key that a schema names only to refuse it with a sentence of its own (`z.never`) is not one to suggest. */
function isRefused(schema: z.ZodType | undefined): boolean {
  return schema !== undefined && unwrap(schema).every(node => node.def.type === 'never')
}

function unwrap(schema: z.ZodType): z.ZodType[] {
  const def = schema.def as { innerType?: z.ZodType; options?: z.ZodType[]; in?: z.ZodType; getter?: () => z.ZodType }
  if (def.innerType) return unwrap(def.innerType)
  if (def.in) return unwrap(def.in)
  if (def.getter) return unwrap(def.getter())
  if (def.options) return def.options.flatMap(unwrap)
  return [schema]
}

function position(document: YamlDocument, lines: LineCounter, path: Path): { line: number; column: number } {
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true)
    const range = (node as { range?: [number, number, number] } | null | undefined)?.range
    if (range) {
      const { line, col } = lines.linePos(range[0])
      return { line, column: col }
    }
  }
  return { line: 1, column: 1 }
}

function keyPosition(document: YamlDocument, lines: LineCounter, path: Path): { line: number; column: number } {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true)
  const items =
    (parent as { items?: { key?: { value?: unknown; range?: [number, number, number] } }[] } | null)?.items ?? []
  const range = items.find(item => String(item.key?.value) === String(path.at(-1)))?.key?.range
  if (!range) return position(document, lines, path)
  const { line, col } = lines.linePos(range[0])
  return { line, column: col }
}
