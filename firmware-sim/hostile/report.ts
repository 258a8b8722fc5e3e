/** What the attacks of a run did and how they were answered, as a table. Pure: counts in, text out. */
import type { AttackCounts } from './counts.ts'

export function hostileWords(all: readonly AttackCounts[]): string[] {
  if (all.length === 0) return []
  const rows = [
    ['attack', 'acts', 'connections', 'failed', 'closed on', 'packets', 'bytes', 'answers'],
    ...all.map(each => [
      each.attack,
      ...[each.acts, each.connections, each.connectFailures, each.closed, each.packets, each.bytes].map(String),
      Object.entries(each.answers)
        .map(([name, count]) => `${name}: ${count}`)
        .join(', '),
    ]),
  ]
  const last = (rows[0]?.length ?? 0) - 1
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0))) ?? []
  const lines = rows.map(row =>
    row
      .map((cell, column) => {
        if (column === last) return cell
        return column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)
      })
      .join('  ')
      .trimEnd(),
  )
  return [lines.join('\n')]
}
