import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { errorCodes } from '../../runtime/errors.ts'

// Tests run from the root of the project, wherever they were built to.
const page = readFileSync('docs/errors.md', 'utf8')
const sections = page.split(/^## /m).slice(1)

test('docs/errors.md has a heading for each error code, in order, and none besides', () => {
  assert.deepEqual(
    sections.map(section => section.slice(0, section.indexOf('\n'))),
    [...errorCodes],
  )
  assert.deepEqual([...errorCodes], errorCodes.toSorted())
})

test('each heading has a paragraph on what it means and one on what to do', () => {
  for (const section of sections) {
    const paragraphs = section
      .trim()
      .split(/\n\s*\n/)
      .slice(1)
    assert.ok(paragraphs.length >= 2, section)
  }
})
