/** Values that stand in a payload as text: decimal numbers and switches, as simple devices write them. Pure. */

const decimal = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/
const switches: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['false', false],
  ['on', true],
  ['off', false],
  ['ON', true],
  ['OFF', false],
])

/** The number or switch that a text is, or undefined. Digits without end are a number that is not finite. */
export function scalarOf(text: string): number | boolean | undefined {
  return switches.get(text) ?? (decimal.test(text) ? Number(text) : undefined)
}

/** Of at most so many digits as a number holds: a longer one is the name of something, and stays a text. */
const short = /^[-+]?\d{1,16}(?:\.\d{1,20})?(?:[eE][-+]?\d{1,3})?$/

/** A text of which nothing says the type: what looks like a number or a switch is one. */
export function plainValue(text: string): number | boolean | string {
  return switches.get(text) ?? (short.test(text) ? Number(text) : text)
}
