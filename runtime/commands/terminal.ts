/**
 * How words stand in a terminal: columns without borders, as kubectl draws them, so that they go on into awk; colours
 * only where a person looks. Nothing that came from a device reaches the terminal as a control character.
 */
import { isatty } from 'node:tty'
import { styleText } from 'node:util'

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'
export type Paint = (style: Style, text: string) => string

/** A cell: text, or text with a style that does not count as width. */
export type Cell = string | { readonly text: string; readonly style: Style }

/** Where a command writes, and what that place can show. */
export type Terminal = {
  readonly paint: Paint
  /** Cells are cut at so many characters; nothing is cut for a pipe. */
  readonly cellMax: number
  readonly isTerminal: boolean
}

/** Colours follow the stream: none into a pipe, and none with NO_COLOR, which Node reads in `hasColors`. */
export function terminalOf(stream: NodeJS.WriteStream & { readonly fd: number }): Terminal {
  const isTerminal = isatty(stream.fd)
  const coloured = isTerminal && stream.hasColors()
  return {
    paint: (style, text) => (coloured ? styleText(style, text, { validateStream: false }) : text),
    cellMax: isTerminal ? 80 : Number.POSITIVE_INFINITY,
    isTerminal,
  }
}

/** Lines with aligned columns. Widths only grow, so that a stream can be drawn in pieces that fit each other. */
export class Columns {
  readonly #terminal: Terminal
  readonly #right: readonly boolean[]
  readonly #widths: number[]

  /** A title that begins with `>` is a column of numbers, aligned to the right. */
  constructor(titles: readonly string[], terminal: Terminal) {
    this.#terminal = terminal
    this.#right = titles.map(title => title.startsWith('>'))
    this.#widths = titles.map(() => 0)
    this.#titles = titles.map(title => title.replace(/^>/, '').toUpperCase())
    this.#widen([this.#titles])
  }
  readonly #titles: readonly string[]

  head(rows: readonly (readonly Cell[])[]): string {
    this.#widen(rows)
    return this.#line(this.#titles.map(text => ({ text, style: 'dim' })))
  }

  lines(rows: readonly (readonly Cell[])[]): string {
    this.#widen(rows)
    return rows.map(row => this.#line(row)).join('')
  }

  #widen(rows: readonly (readonly Cell[])[]): void {
    for (const row of rows) {
      for (const [index, cell] of row.entries()) {
        this.#widths[index] = Math.max(this.#widths[index] ?? 0, widthOf(this.#shown(cell).text))
      }
    }
  }

  #line(row: readonly Cell[]): string {
    const cells = row.map((cell, index) => {
      const { text, style } = this.#shown(cell)
      const isLast = index === row.length - 1
      const space = ' '.repeat(Math.max(0, (this.#widths[index] ?? 0) - widthOf(text)))
      const painted = style === undefined ? text : this.#terminal.paint(style, text)
      return this.#right[index] ? space + painted : isLast ? painted : painted + space
    })
    return `${cells.join('  ').trimEnd()}\n`
  }

  #shown(cell: Cell): { readonly text: string; readonly style: Style | undefined } {
    const { text, style } = typeof cell === 'string' ? { text: cell, style: undefined } : cell
    return { text: cut(printable(text), this.#terminal.cellMax), style }
  }
}

export function table(titles: readonly string[], rows: readonly (readonly Cell[])[], terminal: Terminal): string {
  const columns = new Columns(titles, terminal)
  return columns.head(rows) + columns.lines(rows)
}

/** Control characters, and those that turn the direction of text, as \u escapes: nobody's data moves our cursor. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- the point of it
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, character => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/** `3m12s`: the two largest units, which is what a glance can use. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m${seconds % 60}s`
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)}h${Math.floor((seconds % 3_600) / 60)}m`
  return `${Math.floor(seconds / 86_400)}d${Math.floor((seconds % 86_400) / 3_600)}h`
}

/** 1234567 as `1,234,567`, whatever the language of the machine. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** What a person sees as one character: `é` and `°` count once, however they are written. */
const segmenter = new Intl.Segmenter()
const characters = (text: string): string[] => Array.from(segmenter.segment(text), ({ segment }) => segment)
const widthOf = (text: string): number => (isPlain(text) ? text.length : characters(text).length)
const isPlain = (text: string): boolean => /^[ -~]*$/.test(text)

function cut(text: string, most: number): string {
  if (text.length <= most) return text
  const shown = characters(text)
  return shown.length <= most ? text : `${shown.slice(0, most - 1).join('')}…`
}
