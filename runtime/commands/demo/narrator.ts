/** Tells the demo's story: a line for each thing that happens, and under it, on a terminal, a line of counts that moves. */
import type { Style, Terminal } from '../terminal.ts'

export class Narrator {
  readonly #stream: NodeJS.WriteStream
  readonly #terminal: Terminal
  readonly #startedMs: number
  readonly #now: () => number
  #ticker = ''

  constructor(stream: NodeJS.WriteStream, terminal: Terminal, now: () => number) {
    this.#stream = stream
    this.#terminal = terminal
    this.#now = now
    this.#startedMs = now()
  }

  /** A chapter: what is about to happen, and why it matters. */
  chapter(title: string, text = ''): void {
    this.#write(`\n${this.paint('bold', title)}${text === '' ? '' : `\n  ${this.paint('dim', text)}`}\n`)
  }

  /** Something that happened, with the second it happened in. */
  event(text: string, style: Style = 'green'): void {
    const seconds = ((this.#now() - this.#startedMs) / 1000).toFixed(1).padStart(5)
    this.#write(`  ${this.paint('dim', `${seconds} s`)}  ${this.paint(style, '●')} ${text}\n`)
  }

  line(text: string): void {
    this.#write(`${text}\n`)
  }

  /** The moving line. A pipe gets none. */
  tick(text: string): void {
    if (!this.#terminal.isTerminal) return
    this.#ticker = `           ${this.paint('cyan', '│')} ${text}`
    this.#stream.write(`\r\u001b[K${this.#ticker}`)
  }

  paint(style: Style, text: string): string {
    return this.#terminal.paint(style, text)
  }

  #write(text: string): void {
    if (this.#ticker !== '') this.#stream.write('\r\u001b[K')
    this.#ticker = ''
    this.#stream.write(text)
  }
}

const bars = '▁▂▃▄▅▆▇█'

/** A chart of one line: each value a bar between the least and the greatest. */
export function sparkline(values: readonly number[], widthMax = 60): string {
  const step = Math.max(1, Math.ceil(values.length / widthMax))
  const shown = values.filter((_, index) => index % step === 0 || index === values.length - 1)
  const [least, most] = [Math.min(...shown), Math.max(...shown)]
  return shown.map(value => bars[Math.round(((value - least) / (most - least || 1)) * (bars.length - 1))]).join('')
}
