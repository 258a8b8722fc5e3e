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
