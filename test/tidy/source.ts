/**
 * Reads source files for the tidy check: which files there are, what each imports, and its text without comments and strings.
 *
 * It reads as a careful person with a text search would, not as a compiler does; `check.test.ts` holds what it must see.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { posix } from 'node:path'

export type Import = { readonly specifier: string; readonly line: number }

export type Source = {
  /** Relative to the project, with forward slashes. */
  readonly path: string
  readonly lines: number
  readonly imports: readonly Import[]
  /** Comments and the insides of strings blanked, line breaks kept. */
  readonly code: string
}

/** The text of every .ts file in these folders, by path. Folders that do not exist are empty. */
export function readTree(project: string, folders: readonly string[]): ReadonlyMap<string, string> {
  const files = new Map<string, string>()
  for (const folder of folders) {
    for (const entry of readdirSync(join(project, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith('.ts')) continue
      const path = join(entry.parentPath, entry.name)
      files.set(relative(project, path).split(sep).join('/'), readFileSync(path, 'utf8'))
    }
  }
  return files
}

export function readSource(path: string, text: string): Source {
  const { code, withStrings } = blank(text)
  return { path, lines: text.trimEnd().split('\n').length, imports: importsOf(withStrings), code }
}

/** The project's file that a specifier means, or undefined if it is a package or a built-in module. */
export function targetOf(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined
  return posix.join(dirname(from), specifier).replace(/\.js$/, '.ts')
}

/** `hono/streaming` lives in the package `hono`, `@hono/node-server/x` in `@hono/node-server`. */
export function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}

const importForms = [
  // import … from 'x', export … from 'x', and import 'x'
  /\b(?:import|export)\b(?:\s+type\b)?(?:[\s\w$*{},]*?\bfrom)?\s*(['"])(?<specifier>[^'"\n]+)\1/g,
  // import('x'), as a value and as a type
  /\bimport\s*\(\s*(['"])(?<specifier>[^'"\n]+)\1/g,
  // A program or a file that stands beside this one
  /\bnew\s+URL\s*\(\s*(['"])(?<specifier>\.[^'"\n]+)\1\s*,\s*import\.meta\.url/g,
]

function importsOf(text: string): readonly Import[] {
  const found = new Map<number, Import>()
  for (const form of importForms) {
    for (const match of text.matchAll(form)) {
      const specifier = match.groups?.['specifier']
      if (specifier !== undefined) found.set(match.index, { specifier, line: lineAt(text, match.index) })
    }
  }
  return [...found.values()].sort((a, b) => a.line - b.line)
}

/** Blanks comments; in `code` the insides of strings, templates and regular expressions too. */
function blank(text: string): { code: string; withStrings: string } {
  // In this order: what begins first wins, so a // in a string is no comment, and a quote in a comment no string.
  const pieces =
    /(?<comment>\/\/[^\n]*|\/\*[\s\S]*?\*\/)|(?<literal>'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|(?<=[=(,:[!&|?{};]\s*|\breturn\s+|=>\s*)\/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*)/g
  const spaces = (piece: string): string => piece.replace(/[^\n]/g, ' ')
  const replace = (keepLiterals: boolean): string =>
    text.replace(pieces, (piece, comment: string | undefined) => {
      if (comment !== undefined) return spaces(piece)
      if (keepLiterals) return piece.startsWith('`') || piece.startsWith('/') ? codeInTemplate(piece) : piece
      return codeInTemplate(piece)
    })
  // `${…}` holds code, which counts; all else of a literal does not.
  const codeInTemplate = (piece: string): string => {
    if (!piece.startsWith('`')) return piece[0] + spaces(piece.slice(1, -1)) + piece.at(-1)
    let kept = ''
    let at = 0
    for (const match of piece.matchAll(/\$\{[^{}]*\}/g)) {
      kept += spaces(piece.slice(at, match.index)) + match[0]
      at = match.index + match[0].length
    }
    return kept + spaces(piece.slice(at))
  }
  return { code: replace(false), withStrings: replace(true) }
}
