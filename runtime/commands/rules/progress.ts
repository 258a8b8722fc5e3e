/** How far a replay is, in one line of a terminal that is wiped at the end. Says nothing where nobody looks. */
import { isatty } from 'node:tty'
import { grouped } from '../terminal.ts'
import type { TraceSpan } from '../trace.ts'

const cells = 24

export class Progress {
  readonly #span: TraceSpan
  readonly #out: NodeJS.WriteStream & { readonly fd: number }
  readonly #isShown: boolean
  #last = ''

  constructor(span: TraceSpan, out: NodeJS.WriteStream & { readonly fd: number }) {
    this.#span = span
    this.#out = out
    this.#isShown = isatty(out.fd)
  }

  at(ms: number, readings: number): void {
    const { fromMs, toMs } = this.#span
    if (!this.#isShown || ms === 0) return
    const share = Math.min(1, Math.max(0, (ms - fromMs) / Math.max(1, toMs - fromMs)))
    const bar = '█'.repeat(Math.floor(share * cells)).padEnd(cells, '░')
    const day = Number.isFinite(ms) ? new Date(Math.min(ms, toMs)).toISOString().slice(0, 16) : ''
    const text = `${bar} ${String(Math.floor(share * 100)).padStart(3)} %  ${day}`
    // Once for each step that can be seen, not for each batch.
    if (text === this.#last) return
    this.#last = text
    this.#out.write(`\r\u001b[2K${text}  ${grouped(readings)} readings`)
  }

  clear(): void {
    if (this.#last !== '') this.#out.write('\r\u001b[2K')
  }
}
