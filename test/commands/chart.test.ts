/** The picture of a series in a terminal, and what is kept of the series for it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { drawChart, gutter, traceColumns } from '../../runtime/commands/chart.ts'
import { Trace } from '../../runtime/commands/trace.ts'
import type { Paint } from '../../runtime/commands/terminal.ts'

const plain: Paint = (_, text) => text
const start = Date.UTC(2026, 10, 16, 8)
const hour = 3_600_000
const options = { width: 52, height: 5, paint: plain }

function traceOf(values: (timeMs: number) => number | undefined, everyMs = 60_000, spanMs = 24 * hour): Trace {
  const trace = new Trace({ fromMs: start, toMs: start + spanMs }, traceColumns(options.width))
  for (let ms = start; ms < start + spanMs; ms += everyMs) {
    const value = values(ms - start)
    if (value !== undefined) trace.add(ms, value)
  }
  return trace
}

const dotted = (text: string): number => Array.from(text).filter(sign => sign > '\u2800' && sign <= '\u28ff').length

describe('the chart of a series', () => {
  it('shows values, the limit, when it fired, and the time', () => {
    const trace = traceOf(ms => -18 + (ms > 8 * hour && ms < 12 * hour ? 8 : 0))
    for (let ms = start; ms < start + 24 * hour; ms += hour) trace.limit(ms, 'above', -15)
    const firing = [{ fromMs: start + 8 * hour, toMs: start + 12 * hour }]
    assert.equal(
      drawChart(trace, firing, options),
      [
        '       -10 ┤             ⡏⠉⠉⠉⠉⠉⠉⡇',
        '           │             ⡇      ⡇',
        '           │             ⡇      ⡇',
        '       -15 ┤┄┄┄┄┄┄┄┄┄┄┄┄┄⡇┄┄┄┄┄┄⡇┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄',
        '       -18 ┤⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⡇      ⣇⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀',
        '           └────────────────────────────────────────',
        '                         ━━━━━━━━',
        '            2026-11-16 08:00        2026-11-17 08:00',
        '',
      ].join('\n'),
    )
  })

  it('shows a spike of one reading in a day of them', () => {
    const spiked = drawChart(
      traceOf(ms => (ms === 7 * hour ? 100 : 0)),
      [],
      options,
    )
    assert.match(spiked.split('\n')[0] ?? '', /100 ┤ +[\u2801-\u28ff]$/)
  })

  it('joins the readings of a slow sensor, and leaves a gap where it fell silent', () => {
    const slow = traceOf(ms => (ms > 10 * hour && ms < 20 * hour ? undefined : 5), hour)
    const middle = drawChart(slow, [], options).split('\n')[2]?.slice(gutter) ?? ''
    assert.match(middle, /^[\u2801-\u28ff]{17} {16}[\u2801-\u28ff]+$/)
  })

  it('marks an alert that is shorter than a column, and one that began before the picture', () => {
    const firing = [
      { fromMs: start - hour, toMs: start + 2 * hour },
      { fromMs: start + 12 * hour, toMs: start + 12 * hour + 1 },
    ]
    const lines = drawChart(
      traceOf(() => 1),
      firing,
      options,
    ).split('\n')
    assert.equal(lines[options.height + 1], `${' '.repeat(gutter)}━━━━${' '.repeat(16)}━`)
  })

  it('says when something fired though no value can be drawn', () => {
    const text = drawChart(
      traceOf(() => undefined),
      [{ fromMs: start, toMs: start + 24 * hour }],
      options,
    )
    assert.equal(dotted(text), 0)
    assert.ok(text.includes('━'.repeat(40)))
  })

  it('keeps to its width and height whatever the values are, and escapes nothing but what it paints', () => {
    const value = fc.double({ noNaN: true, noDefaultInfinity: true })
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 200 }), fc.option(value), (values, limit) => {
        const trace = new Trace({ fromMs: 0, toMs: values.length }, traceColumns(options.width))
        for (const [index, each] of values.entries()) trace.add(index, each)
        if (limit !== null) trace.limit(0, 'above', limit)
        const lines = drawChart(trace, [], options).split('\n')
        assert.equal(lines.length, options.height + 3)
        for (const line of lines) assert.ok(line.length <= options.width, line)
        assert.ok(dotted(lines.join('')) > 0)
      }),
      {
        examples: [
          [[-1.634266486238469e308], null],
          [[0], -9.9950005e-7],
        ],
        numRuns: 400,
      },
    )
  })
})
