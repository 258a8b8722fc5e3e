/** How every benchmark of the project tells its figures: a table for people, `--json` for scripts. */

export type Figure = {
  readonly figure: string
  readonly ours: number
  readonly peer: number | null
  /** ours / peer, where there is a peer. */
  readonly ratio: number | null
  /** What is aimed for, in words; null where a figure is only told. */
  readonly target: string | null
  readonly holds: boolean | null
}

export function figure(
  name: string,
  ours: number,
  peer: number | null = null,
  target: { text: string; holds: (ratio: number) => boolean } | null = null,
): Figure {
  const ratio = peer === null ? null : ours / peer
  return {
    figure: name,
    ours,
    peer,
    ratio,
    target: target?.text ?? null,
    holds: target ? target.holds(ratio ?? ours) : null,
  }
}

export function report(name: string, figures: readonly Figure[], notes: readonly string[], json: boolean): void {
  if (json) {
    console.log(JSON.stringify({ name, figures }))
    return
  }
  const rows = [['figure', 'ours', 'peer', 'ratio', 'target', ''], ...figures.map(cells)]
  const widths = (rows[0] as string[]).map((_, column) => Math.max(...rows.map(row => (row[column] ?? '').length)))
  console.log(`\n${name}`)
  for (const row of rows)
    console.log(
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
  for (const note of notes) console.log(`\n${note}`)
}

function cells({ figure, ours, peer, ratio, target, holds }: Figure): string[] {
  return [
    figure,
    number(ours),
    peer === null ? '-' : number(peer),
    ratio === null ? '-' : ratio.toFixed(2),
    target ?? '',
    holds === null ? '' : holds ? 'holds' : 'does not hold',
  ]
}

function number(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)
}
