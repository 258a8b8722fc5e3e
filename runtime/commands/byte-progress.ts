/** How much of a backup has gone by, in one line of a terminal that is wiped at the end. Says nothing where nobody looks. */
import { isatty } from 'node:tty'
import { formatSize } from '../units.ts'

const cells = 24
const everyBytes = 1 << 20

export class ByteProgress {
  readonly #what: string
  readonly #out: NodeJS.WriteStream & { readonly fd: number }
  readonly #isShown: boolean
  /** What there is to come; 0 if nobody knows. */
  #ofBytes = 0
  #shownBytes = Number.NEGATIVE_INFINITY

  constructor(what: string, out: NodeJS.WriteStream & { readonly fd: number }) {
    this.#what = what
    this.#out = out
    this.#isShown = isatty(out.fd)
  }

  expect(bytes: number): void {
    this.#ofBytes = bytes
  }

  readonly at = (bytes: number): void => {
    if (!this.#isShown || bytes - this.#shownBytes < everyBytes) return
    this.#shownBytes = bytes
    this.#out.write(`\r\u001b[2K${this.#bar(bytes)}${this.#what}  ${formatSize(bytes)}`)
  }

  /** A guess is never said to be done before it is. */
  #bar(bytes: number): string {
    if (this.#ofBytes <= 0) return ''
    const share = Math.min(0.99, bytes / this.#ofBytes)
    const bar = '█'.repeat(Math.floor(share * cells)).padEnd(cells, '░')
    return `${bar} ${String(Math.floor(share * 100)).padStart(3)} %  `
  }

  clear(): void {
    if (this.#shownBytes >= 0) this.#out.write('\r\u001b[2K')
  }
}
