/**
 * Takes InfluxDB's line protocol apart: characters in, points out, one after the other. Goes over each character once and
 * never back, so no payload can make it slow. Never throws.
 *
 *   measurement[,tag=value…] field=value[,field=value…] [time]
 */

export type Point = {
  readonly measurement: string
  readonly tags: ReadonlyMap<string, string>
  readonly fields: readonly (readonly [key: string, value: number | string | boolean])[]
  /** Digits, in the unit that the route knows. */
  readonly time: string | undefined
}

/** A point has a handful; the bound is for those that only want to fill the memory. */
const tagsMax = 100

const float = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/
const integer = /^([-+]?\d{1,19})i$/
const unsigned = /^(\d{1,20})u$/
const time = /^-?\d{1,20}$/
const truths: ReadonlyMap<string, boolean> = new Map([
  ...['t', 'T', 'true', 'True', 'TRUE'].map((word): [string, boolean] => [word, true]),
  ...['f', 'F', 'false', 'False', 'FALSE'].map((word): [string, boolean] => [word, false]),
])

export class LineReader {
  readonly #text: string
  #at = 0
  /** Of the point that was read last, from 1 on. */
  line = 0
  #linesPassed = 1

  constructor(text: string) {
    this.#text = text
  }

  /** The next point, what is wrong with it, or undefined at the end. After a fault there is nothing more to ask. */
  next(): Point | string | undefined {
    for (;;) {
      const character = this.#text[this.#at]
      if (character === undefined) return undefined
      if (character === '#') this.#skipLine()
      else if (character === '\n' || character === '\r' || character === ' ' || character === '\t') this.#step()
      else break
    }
    this.line = this.#linesPassed
    return this.#point()
  }

  #point(): Point | string {
    const measurement = this.#name(', ')
    if (measurement === '') return 'there is no measurement'
    const tags = new Map<string, string>()
    while (this.#text[this.#at] === ',') {
      this.#at += 1
      const key = this.#name('=, ')
      if (this.#text[this.#at] !== '=') return 'a tag has no value'
      this.#at += 1
      const value = this.#name(',= ')
      if (key === '' || value === '') return 'a tag is empty'
      if (tags.size >= tagsMax) return `more than ${tagsMax} tags`
      tags.set(key, value)
    }
    if (this.#text[this.#at] !== ' ') return 'there are no fields'
    this.#skipSpaces()
    const fields: [string, number | string | boolean][] = []
    for (;;) {
      const key = this.#name('=, ')
      if (key === '' || this.#text[this.#at] !== '=') return 'a field has no value'
      this.#at += 1
      const value = this.#text[this.#at] === '"' ? this.#quoted() : this.#bare(key)
      if (typeof value === 'object') return value.fault
      fields.push([key, value])
      if (this.#text[this.#at] !== ',') break
      this.#at += 1
    }
    this.#skipSpaces()
    const digits = this.#upTo(' \r\n')
    this.#skipSpaces()
    const end = this.#text[this.#at]
    if (end !== undefined && end !== '\n' && end !== '\r') return 'something follows the time'
    if (digits !== '' && !time.test(digits)) return 'the time is not a whole number'
    return { measurement, tags, fields, time: digits === '' ? undefined : digits }
  }

  /** Up to one of `ends` or the end of the line. A backslash before one of the marks makes it part of the name. */
  #name(ends: string): string {
    let name = ''
    for (;;) {
      const character = this.#text[this.#at]
      if (character === undefined || character === '\n' || character === '\r' || ends.includes(character)) return name
      const next = this.#text[this.#at + 1]
      if (character === '\\' && next !== undefined && ',= '.includes(next)) {
        name += next
        this.#at += 2
      } else {
        name += character
        this.#at += 1
      }
    }
  }

  #quoted(): string | { readonly fault: string } {
    let text = ''
    this.#at += 1
    for (;;) {
      const character = this.#text[this.#at]
      if (character === undefined) return { fault: 'a text has no end' }
      if (character === '"') break
      const next = this.#text[this.#at + 1]
      if (character === '\\' && (next === '"' || next === '\\')) {
        text += next
        this.#at += 2
      } else {
        text += character
        this.#step()
      }
    }
    this.#at += 1
    const next = this.#text[this.#at]
    return next === undefined || ', \r\n'.includes(next) ? text : { fault: 'something follows a text' }
  }

  #bare(key: string): number | boolean | { readonly fault: string } {
    const text = this.#upTo(', \r\n')
    const truth = truths.get(text)
    if (truth !== undefined) return truth
    if (float.test(text)) return Number(text)
    const whole = integer.exec(text)?.[1] ?? unsigned.exec(text)?.[1]
    return whole === undefined ? { fault: `"${key.slice(0, 40)}" is not a value` } : Number(whole)
  }

  #upTo(ends: string): string {
    const from = this.#at
    for (;;) {
      const character = this.#text[this.#at]
      if (character === undefined || ends.includes(character)) return this.#text.slice(from, this.#at)
      this.#at += 1
    }
  }

  #skipSpaces(): void {
    while (this.#text[this.#at] === ' ') this.#at += 1
  }

  #skipLine(): void {
    const end = this.#text.indexOf('\n', this.#at)
    this.#at = end === -1 ? this.#text.length : end
  }

  #step(): void {
    if (this.#text[this.#at] === '\n') this.#linesPassed += 1
    this.#at += 1
  }
}
