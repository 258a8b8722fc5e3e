/**
 * Holds the invariants in ARCHITECTURE.md and the promises in docs/promises.md to the truth: each names a test that exists.
 *
 *   | I1 | sentence | test file | test name |        | promise | test file | test name |
 */
export const invariantIds = Array.from({ length: 11 }, (_, index) => `I${index + 1}`)

/** `tests` holds the text of each test file by path. Returns one sentence for each thing that is wrong. */
export function checkInvariants(page: string, tests: ReadonlyMap<string, string>): readonly string[] {
  const rows = new Map<string, readonly string[]>()
  const problems: string[] = []
  for (const line of page.split('\n')) {
    const [id = '', ...rest] = cellsOf(line)
    if (!/^I\d+$/.test(id)) continue
    if (rows.has(id)) problems.push(`${id} stands twice in ARCHITECTURE.md: keep one row`)
    rows.set(id, rest)
  }
  for (const id of invariantIds) {
    const row = rows.get(id)
    if (!row) problems.push(`${id} has no row in ARCHITECTURE.md: add | ${id} | sentence | test file | test name |`)
    else problems.push(...checkRow(id, row, tests))
  }
  for (const id of rows.keys()) {
    if (!invariantIds.includes(id))
      problems.push(`${id} is no invariant that we know: add it to test/tidy/invariants.ts`)
  }
  return problems
}

/** Returns one sentence for each promise that names no test. A page without a promise is wrong too. */
export function checkPromises(page: string, tests: ReadonlyMap<string, string>): readonly string[] {
  const rows = page
    .split('\n')
    .map(cellsOf)
    .filter(cells => /^`?test\//.test(cells[1] ?? ''))
  if (rows.length === 0) return ['docs/promises.md has no promise: write | promise | test file | test name |']
  return rows.flatMap(cells => checkRow(`"${cells[0]}"`, cells, tests))
}

/** The cells of a table's line, without the edges. */
const cellsOf = (line: string): readonly string[] =>
  line
    .split(/(?<!\\)\|/)
    .slice(1)
    .map(cell => cell.trim().replaceAll('\\|', '|'))

function checkRow(
  id: string,
  [sentence = '', fileCell = '', nameCell = '']: readonly string[],
  tests: ReadonlyMap<string, string>,
): string[] {
  const file = withoutMarks(fileCell)
  const name = withoutMarks(nameCell)
  const text = tests.get(file)
  if (sentence === '') return [`${id} has no sentence`]
  if (text === undefined)
    return [`${id} names the test file ${file}, which does not exist: correct the row, or write the test`]
  if (!testNames(text).has(name))
    return [`${id} names the test "${name}", which is not in ${file}: correct the row, or write the test`]
  return []
}

const withoutMarks = (cell: string): string => cell.replace(/^[`"']|[`"']$/g, '')

/** The names in `test('…'`, `it('…'` and `describe('…'`; those made from a template with a hole are not found. */
export function testNames(text: string): ReadonlySet<string> {
  const names = new Set<string>()
  for (const match of text.matchAll(/\b(?:test|it|describe)(?:\.\w+)?\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g)) {
    names.add((match[2] as string).replace(/\\(.)/g, '$1'))
  }
  return names
}
