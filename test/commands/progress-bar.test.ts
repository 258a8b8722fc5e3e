import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lineOf, openProgressBar } from '../../runtime/commands/progress-bar.ts'

function screen(isTTY: boolean) {
  const texts: string[] = []
  return { texts, isTTY, write: (text: string | Uint8Array) => texts.push(String(text)) > 0 }
}

test('a bar shows bytes, rows and rate, and how much of the whole where that is known', () => {
  const step = { bytes: 12_300_000, rows: 201_000, ofBytes: 30_000_000 }
  assert.equal(
    lineOf(step, 4_000),
    '[############..................]  41%  12.3 MB of 30 MB  201,000 rows  50,250 rows/s',
  )
  assert.equal(lineOf({ ...step, ofBytes: undefined }, 4_000), '12.3 MB  201,000 rows  50,250 rows/s')
})

test('a bar is drawn on one line, ten times a second at most, and taken away', () => {
  let nowMs = 0
  const terminal = screen(true)
  const bar = openProgressBar(terminal, () => nowMs)
  for (; nowMs < 1_000; nowMs += 10) bar.show({ bytes: nowMs, rows: nowMs, ofBytes: 1_000 })
  bar.end()
  assert.equal(terminal.texts.length, 11)
  assert.ok(terminal.texts.every(text => text.startsWith('\r') && text.endsWith('\u001b[K')))
})

test('nothing is drawn where there is no terminal', () => {
  const pipe = screen(false)
  const bar = openProgressBar(pipe, () => 0)
  bar.show({ bytes: 1, rows: 1, ofBytes: 1 })
  bar.end()
  assert.deepEqual(pipe.texts, [])
})
