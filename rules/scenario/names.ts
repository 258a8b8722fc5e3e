/**
 * How a test names a series: `freezer-1/temperature`, or promtool's `temperature{device="freezer-1"}`. In the first form
 * the metric is what stands after the last slash. Pure.
 */
export type SeriesRef = {
  readonly device: string
  readonly metric: string
  readonly table: string | undefined
  readonly unit: string | undefined
}

const labelNames = ['device', 'table', 'unit'] as const

/** The series, or a sentence about what is wrong with its name and where that stands. */
export function parseSeriesName(text: string): SeriesRef | { readonly message: string; readonly offset: number } {
  const open = text.indexOf('{')
  if (open >= 0) return parseLabels(text, open)
  const slash = text.lastIndexOf('/')
  if (slash <= 0 || slash === text.length - 1) {
    return { message: `"${text}" is no series; write it as freezer-1/temperature (device/metric)`, offset: 0 }
  }
  return { device: text.slice(0, slash), metric: text.slice(slash + 1), table: undefined, unit: undefined }
}

export function printSeriesName({ device, metric }: Pick<SeriesRef, 'device' | 'metric'>): string {
  return `${device}/${metric}`
}

function parseLabels(text: string, open: number): ReturnType<typeof parseSeriesName> {
  const metric = text.slice(0, open).trim()
  if (metric === '') return { message: 'the metric is missing before "{"', offset: open }
  if (!text.trimEnd().endsWith('}')) return { message: 'the closing "}" is missing', offset: text.length - 1 }
  const inner = text.slice(open + 1, text.lastIndexOf('}'))
  const labels = new Map<string, string>()
  let from = 0
  while (inner.slice(from).trim() !== '') {
    const pair = /^\s*([A-Za-z_]\w*)\s*=\s*("(?:[^"\\]|\\.)*")\s*(?:,|$)/.exec(inner.slice(from))
    const [whole = '', name = '', quoted = ''] = pair ?? []
    const offset = open + 1 + from + (/\S/.exec(inner.slice(from))?.index ?? 0)
    if (!pair) return { message: 'labels look like device="freezer-1", with commas between them', offset }
    if (!labelNames.some(known => known === name)) {
      return { message: `a series has no label "${name}"; known are ${labelNames.join(', ')}. ${labelHint}`, offset }
    }
    if (labels.has(name)) return { message: `the label "${name}" is written twice`, offset }
    const value = valueOf(quoted)
    if (value === undefined || value === '') return { message: `"${name}" needs a text in quotes`, offset }
    labels.set(name, value)
    from += whole.length
  }
  const device = labels.get('device')
  if (device === undefined)
    return { message: `the label device is missing, as in ${metric}{device="freezer-1"}`, offset: open }
  return { device, metric, table: labels.get('table'), unit: labels.get('unit') }
}

const labelHint = 'Labels of devices are rows of the table devices'

function valueOf(quoted: string): string | undefined {
  try {
    return JSON.parse(quoted) as string
  } catch {
    return undefined
  }
}
