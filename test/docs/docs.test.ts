/** Documentation that cannot rot: made pages are up to date, and every YAML block on a page loads. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { parseRules } from '../../rules/language/file.ts'
import { parseScenarios } from '../../rules/scenario/file.ts'
import { parsePlan } from '../../firmware-sim/plan.ts'
import { systemDoors } from '../../runtime/config/doors.ts'
import { loadConfig } from '../../runtime/config/load.ts'
import { madePages } from './pages.ts'

const pages = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  ...readdirSync('docs')
    .filter(name => name.endsWith('.md'))
    .map(name => join('docs', name)),
]

/** Passwords that a page names are not there; what stands in them does not matter here. */
const doors = { ...systemDoors(), environment: {}, readSecret: () => ({ text: 'secret', mode: 0o600 }) }

function yamlBlocks(text: string): string[] {
  return [...text.matchAll(/^```yaml\n(.*?)^```/gms)].map(match => match[1] as string)
}

function problemsOf(block: string): readonly { message: string }[] {
  if (/^groups:/m.test(block)) {
    const parsed = parseRules([{ file: 'page', text: block }])
    return parsed.ok ? [] : parsed.problems
  }
  if (/^tests:/m.test(block)) {
    const parsed = parseScenarios('page', block)
    return parsed.ok ? [] : parsed.problems
  }
  if (/^devices:\s*[-[]/m.test(block)) {
    const parsed = parsePlan('page', block)
    return parsed.ok ? [] : parsed.problems
  }
  const loaded = loadConfig('page.yaml', block, doors)
  return loaded.ok ? [] : loaded.problems
}

describe('the documentation', () => {
  for (const [path, text] of madePages()) {
    it(`has ${path} as the code makes it (npm run docs)`, () => {
      assert.ok(existsSync(path), `${path} is missing: npm run docs`)
      assert.equal(readFileSync(path, 'utf8'), text, `${path} is out of date: npm run docs`)
    })
  }

  for (const page of pages) {
    it(`has only YAML that loads in ${page}`, () => {
      for (const block of yamlBlocks(readFileSync(page, 'utf8'))) {
        assert.deepEqual(
          problemsOf(block).map(problem => problem.message),
          [],
          block,
        )
      }
    })

    it(`links from ${page} only to what is there`, () => {
      const links = [...readFileSync(page, 'utf8').matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(
        match => match[1] as string,
      )
      const folder = page.includes('/') ? 'docs' : '.'
      assert.deepEqual(
        links.filter(link => !existsSync(join(folder, link))),
        [],
      )
    })
  }

  it('has YAML to load', () => {
    assert.ok(pages.flatMap(page => yamlBlocks(readFileSync(page, 'utf8'))).length >= 3)
  })
})
