/** A value that came as plain text of which nothing says the type: what looks like a number or a switch is one. */
const decimal = /^[-+]?\d{1,16}(?:\.\d{1,20})?(?:[eE][-+]?\d{1,3})?$/

const switches: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['false', false],
  ['on', true],
  ['off', false],
  ['ON', true],
  ['OFF', false],
])

export function plainValue(text: string): number | boolean | string {
  return switches.get(text) ?? (decimal.test(text) ? Number(text) : text)
}
