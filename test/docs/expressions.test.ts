/** Every expression on the page about expressions compiles. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { compileExpression } from '../../rules/expression/compile.ts'
import { questionNames } from '../../rules/expression/questions.ts'

const page = readFileSync('docs/expressions.md', 'utf8')
const blocks = [...page.matchAll(/^```\n(.*?)^```/gms)].map(match => match[1] ?? '')
const examples = blocks.flatMap(block => block.split('\n')).filter(line => line !== '')

describe('the page about expressions', () => {
  for (const example of examples) {
    it(`has an example that a rule can take: ${example}`, () => {
      for (const wants of ['bool', 'any'] as const) {
        const compiled = compileExpression(example, { zone: 'Europe/Paris', wants })
        if (compiled.ok) return
        if (wants === 'any') assert.fail(compiled.fault.message)
      }
    })
  }

  it('tells of every function, with a call that compiles', () => {
    for (const name of questionNames.keys()) {
      const calls = [...page.matchAll(new RegExp(String.raw`\b${name}\([^()]*\)`, 'g'))].map(([call]) => call)
      assert.ok(calls.length > 0, name)
      for (const call of calls) {
        const text = call.replace(/\bkey\b/, 'device')
        const compiled = compileExpression(text, { zone: 'UTC', wants: 'any' })
        assert.ok(compiled.ok, compiled.ok ? '' : `${text}: ${compiled.fault.message}`)
      }
    }
  })
})
