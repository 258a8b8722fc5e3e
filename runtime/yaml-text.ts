/**
 * A YAML text as plain values whose places are known. Pure. The half of reading a file that knows nothing of schemas.
 *
 * Promises: what is hostile is refused before it costs anything: nesting by the parser that keeps its stack in an array,
 * aliases always. Whatever is wrong with the YAML is said at once, in words for people who write rules and configurations,
 * not parsers. It must never take a key twice, or one that a schema would not see.
 */
import {
  Composer,
  isScalar,
  type Document as YamlDocument,
  Lexer,
  LineCounter,
  Parser,
  type Tags,
  visit,
  YAMLParseError,
} from 'yaml'

export type Path = readonly (string | number)[]

/** Counted from 1, as editors do. */
export type LineColumn = { readonly line: number; readonly column: number }

export type Place = {
  readonly path: Path
  /** Points at the key, where the value is not what is wrong. */
  readonly onKey?: boolean
  /** Points so many characters into the text that the value is. */
  readonly offset?: number
}

export type YamlText =
  | { readonly ok: true; readonly plain: unknown; readonly at: (place: Place) => LineColumn }
  | { readonly ok: false; readonly faults: readonly (LineColumn & { readonly message: string })[] }

/** Deeper nesting is refused before it is read: composing recurses, and Node dies where its stack ends. */
export const documentDepthMax = 64

export function readYaml(text: string): YamlText {
  const lines = new LineCounter()
  const place = (offset: number): LineColumn => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  const document = compose(text, lines)
  if (typeof document === 'number') {
    return { ok: false, faults: [{ ...place(document), message: `nested more than ${documentDepthMax} levels deep` }] }
  }
  const faults = [...document.errors, ...document.warnings, ...ownFaults(document, text)]
  if (faults.length > 0) {
    return {
      ok: false,
      faults: once(faults.map(fault => ({ ...place(fault.pos[0]), message: plainYaml(fault, text) }))),
    }
  }
  // Composed once more for the first place that is asked for: files without fault, which most are, keep no tree of nodes.
  let nodes: YamlDocument | undefined
  const at = ({ path, onKey, offset }: Place): LineColumn => {
    nodes ??= compose(text, new LineCounter()) as YamlDocument
    return place((onKey ? keyOffset(nodes, path) : undefined) ?? valueOffset(nodes, path, text, offset))
  }
  return { ok: true, plain: document.toJS({ maxAliasCount: 0 }) ?? {}, at }
}

/** The one document of a text, or the offset at which it nests too deep. */
function compose(text: string, lines: LineCounter): YamlDocument | number {
  const parser = new Parser(lines.addNewLine)
  let deepAt: number | undefined
  function* tokens(): ReturnType<Parser['parse']> {
    lines.addNewLine(0)
    for (const lexeme of new Lexer().lex(text)) {
      yield* parser.next(lexeme)
      if (parser.stack.length <= documentDepthMax) continue
      deepAt = parser.offset
      return
    }
    yield* parser.end()
  }
  // The composer's own search for duplicate keys compares every pair: seconds for a file that is all keys.
  const composer = new Composer({ lineCounter: lines, prettyErrors: false, uniqueKeys: false, customTags: decimalOnly })
  const [document, second] = composer.compose(tokens(), true, text.length)
  if (deepAt !== undefined) return deepAt
  if (!document) throw new Error('a composer always gives a document')
  if (second)
    document.errors.push(
      new YAMLParseError([second.range[0], second.range[1]], 'MULTIPLE_DOCS', 'only one document here: no second ---'),
    )
  return document
}

/** YAML would read `0x9`, which in a scenario is nine times 0 more, as a hexadecimal nine: numbers here are decimal. */
function decimalOnly(tags: Tags): Tags {
  return tags.filter(
    tag => typeof tag === 'string' || !('format' in tag && (tag.format === 'HEX' || tag.format === 'OCT')),
  )
}

type Fault = { readonly pos: readonly [number, number]; readonly message: string }

/** What YAML allows and we refuse: a key written twice, `__proto__` (no schema would see it), and aliases. */
function ownFaults(document: YamlDocument, text: string): Fault[] {
  const faults: Fault[] = []
  const add = (range: readonly number[] | null | undefined, message: string): void => {
    faults.push({ pos: [range?.[0] ?? 0, range?.[1] ?? 0], message })
  }
  visit(document, {
    Map(_, map) {
      const seen = new Set<string>()
      for (const { key } of map.items) {
        if (!isScalar(key)) {
          const range = (key as { range?: number[] } | null)?.range
          add(range, text[range?.[0] ?? 0] === '{' ? bracesWords : 'a key must be a plain name')
          continue
        }
        const name = String(key.value)
        if (name === '__proto__') add(key.range, 'the key "__proto__" is not allowed')
        else if (seen.has(name)) add(key.range, `the key "${name}" is written twice`)
        seen.add(name)
      }
    },
    Alias(_, alias) {
      // One without a name has been told already.
      if (alias.source === '') return
      const hint = 'write the value out, and put a text that begins with * in quotes'
      add(alias.range, `aliases (&name, *name) are not supported here: ${hint}`)
    },
  })
  return faults
}

/** Where a value stands; where there is none, the nearest that it would stand in. */
function valueOffset(document: YamlDocument, path: Path, text: string, offset: number | undefined): number {
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true)
    const start = (node as { range?: [number, number, number] } | null | undefined)?.range?.[0]
    if (start === undefined) continue
    const isWhole = offset !== undefined && length === path.length && isScalar(node) && typeof node.value === 'string'
    return isWhole ? placeIn(text, start, String(node.value), offset) : start
  }
  return 0
}

/** Where the character at `offset` of a value stands in the file, whatever its quotes, and however it is folded. */
function placeIn(text: string, start: number, value: string, offset: number): number {
  const opening = text[start] ?? ''
  let place = start
  if (opening === '|' || opening === '>') place = text.indexOf('\n', start) + 1
  else if (opening === '"' || opening === "'") place += 1
  // Blanks may be folded, so they are not counted: each other character is looked for after the one before.
  for (const character of value.slice(0, offset + 1)) {
    if (/\s/.test(character)) continue
    const found = text.indexOf(character, place)
    if (found < 0) return start
    place = found + 1
  }
  return offset < value.length ? place - 1 : place
}

function keyOffset(document: YamlDocument, path: Path): number | undefined {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true)
  const items =
    (parent as { items?: { key?: { value?: unknown; range?: [number, number, number] } }[] } | null)?.items ?? []
  return items.find(item => String(item.key?.value) === String(path.at(-1)))?.key?.range?.[0]
}

const bracesWords = 'YAML takes {{ for something else: put the whole text in quotes'
const blankWords = 'a blank is missing after the colon of this key'
const indentWords = 'indented otherwise than the lines before it: keys that belong together begin in one column'

const deeperWords = 'what follows is indented deeper than this, which has a value already'

function lineFrom(text: string, offset: number): string {
  const end = text.indexOf('\n', offset)
  return text.slice(offset, end < 0 ? text.length : end)
}

/** Whether a key stands at an offset whose value begins right after the colon. */
function isWithoutBlank(text: string, offset: number): boolean {
  return /^[\w-]{1,100}:\S/.test(text.slice(offset, offset + 102))
}

/** Two complaints of the parser about one slip of the pen may be the same in our words. */
function once<T extends LineColumn & { readonly message: string }>(faults: readonly T[]): T[] {
  const seen = new Set<string>()
  return faults.filter(({ line, message }) => {
    const name = `${line} ${message}`
    const isNew = !seen.has(name)
    seen.add(name)
    return isNew
  })
}

/** Mostly YAML takes a text for something else because it stands there without quotes. */
function plainYaml(fault: Fault & { readonly code?: string }, text: string): string {
  const { code, message, pos } = fault
  switch (code) {
    case 'TAG_RESOLVE_FAILED':
      return 'YAML takes what begins with ! for something else: put the whole text in quotes'
    case 'BAD_ALIAS':
      return 'YAML takes what begins with * for something else: put the whole text in quotes'
    case 'BAD_SCALAR_START':
      return `YAML takes what begins with ${message.slice(-1)} for something else: put the whole text in quotes`
    case 'BLOCK_AS_IMPLICIT_KEY':
      return /: /.test(lineFrom(text, pos[0]))
        ? 'YAML takes the ": " in this text for another key: put the whole text in quotes'
        : deeperWords
    case 'TAB_AS_INDENT':
      return 'indented with a tab: YAML wants spaces'
    case 'UNEXPECTED_TOKEN':
      if (message === 'Unexpected scalar at node end') {
        const isAfterBrace = text.slice(0, pos[0]).trimEnd().endsWith('}')
        if (isAfterBrace) return bracesWords
        return 'the text goes on after its closing quote: put the whole text in quotes of the other kind'
      }
      return message
    case 'MISSING_CHAR':
      if (message === 'Sequence item without - indicator') return indentWords
      if (/^Missing closing ["']quote$/.test(message)) return 'a text whose closing quote is missing'
      return isWithoutBlank(text, pos[0]) ? blankWords : message
    case 'MULTILINE_IMPLICIT_KEY':
      return isWithoutBlank(text, pos[0]) ? blankWords : deeperWords
    case 'BAD_INDENT': {
      const closing = /^Flow .* and end with a (.)$/.exec(message)?.[1]
      if (closing !== undefined) return `a ${closing} is missing before this`
      return message.includes('same column') ? indentWords : message
    }
    default:
      return message
  }
}
