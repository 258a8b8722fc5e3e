import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { z } from 'zod'
import {
  checkDocument,
  documentBytesMax,
  documentProblemsMax,
  formatProblem,
  nearestName,
} from '../../runtime/document.ts'
import { documentDepthMax } from '../../runtime/yaml-text.ts'

const shop = z.strictObject({
  name: z.string(),
  size: z.number().min(1).max(9).optional(),
  whole: z.int().optional(),
  open: z.boolean().optional(),
  kind: z.enum(['corner', 'market']).default('corner'),
  staff: z
    .array(z.strictObject({ first: z.string(), age: z.number().optional() }))
    .max(2)
    .optional(),
  rooms: z.record(z.string().regex(/^[a-z]+$/, 'small letters only'), z.strictObject({ area: z.number() })).optional(),
  either: z.union([z.string(), z.array(z.string())]).optional(),
  item: z.union([z.string(), z.strictObject({ table: z.string(), start: z.string().optional() })]).optional(),
  way: z
    .discriminatedUnion('by', [
      z.strictObject({ by: z.literal('foot').optional(), shoes: z.string() }),
      z.strictObject({ by: z.literal('train'), line: z.number() }),
    ])
    .optional(),
})

/** What is wrong with a text, each problem as `line:column message`. */
function problems(text: string, schema: z.ZodType = shop): string[] {
  const checked = checkDocument('f.yaml', text, schema)
  assert.ok(!checked.ok, 'nothing was wrong')
  return checked.problems.map(problem => formatProblem(problem).replace('f.yaml:', '').replace(': ', ' '))
}

describe('a document', () => {
  test('gives its value and the place of each path', () => {
    const checked = checkDocument('f.yaml', 'name: x\nstaff:\n  - first: a\n', shop)
    assert.ok(checked.ok)
    assert.deepEqual(checked.value, { name: 'x', kind: 'corner', staff: [{ first: 'a' }] })
    assert.deepEqual(checked.at(['staff', 0, 'first']), { line: 3, column: 12 })
    assert.deepEqual(checked.at(['staff', 7, 'first']), { line: 3, column: 3 })
  })

  test('tells all problems at once, in reading order', () => {
    const text = 'size: 12\nnme: x\nstaff:\n  - first: 5\n  - frist: b\nkind: markt\n'
    assert.deepEqual(problems(text), [
      '1:1 the key "name" is missing',
      '1:7 "size": must be at most 9',
      '2:1 unknown key "nme"; did you mean "name"?',
      '4:12 "first": expected a text, not a number: put it in quotes',
      '5:5 the key "first" is missing',
      '5:5 unknown key "frist"; did you mean "first"?',
      '6:7 "kind": must be corner or market; did you mean "market"?',
    ])
  })

  test('says in plain words what was expected and what stood there', () => {
    const said = (line: string): string => problems(`name: x\n${line}\n`).join('\n')
    assert.equal(said('size: big'), '2:7 "size": expected a number, not a text')
    assert.equal(said('size: "5"'), '2:7 "size": expected a number, not a text: leave the quotes out')
    assert.equal(said('size: [5]'), '2:7 "size": expected a number, not a list')
    assert.equal(said('size:'), '2:6 "size": nothing stands here; expected a number')
    assert.equal(said('size: .nan'), '2:7 "size": expected a number')
    assert.equal(said('whole: 1.5'), '2:8 "whole": expected a whole number, not a number')
    assert.equal(said('open: yes'), '2:7 "open": expected true or false, not a text')
    assert.equal(said('staff: {}'), '2:8 "staff": expected a list, not keys with values')
    assert.equal(said('staff: [{first: a}, {first: a}, {first: a}]'), '2:8 "staff": must have at most 2 items')
    assert.equal(said('staff: [7]'), '2:9 item 1: expected keys with values, not a number')
    assert.equal(said('rooms: [1]'), '2:8 "rooms": expected keys with values, not a list')
  })

  test('finds unknown and missing keys inside lists and records', () => {
    assert.deepEqual(
      problems('name: x\nrooms:\n  hall: {aera: 5}\n  Attic: {area: 1}\nstaff: [{first: a, agee: 1}]\n'),
      [
        '3:9 the key "area" is missing',
        '3:10 unknown key "aera"; did you mean "area"?',
        '4:3 "Attic": small letters only',
        '5:20 unknown key "agee"; did you mean "age"?',
      ],
    )
    assert.deepEqual(problems('name: x\nrooms: {hall: {area: 1, entirely: 2}}\n'), [
      '2:25 unknown key "entirely"; known keys: area',
    ])
  })

  test('speaks for a union with the branch that was meant', () => {
    assert.deepEqual(problems('name: x\neither: 5\n'), [
      '2:9 "either": expected a text, not a number: put it in quotes; or expected a list, not a number',
    ])
    assert.deepEqual(problems('name: x\neither: [a, 5]\n'), [
      '2:13 item 2: expected a text, not a number: put it in quotes',
    ])
    assert.deepEqual(problems('name: x\nitem: {tabel: a}\n'), [
      '2:7 the key "table" is missing',
      '2:8 unknown key "tabel"; did you mean "table"?',
    ])
    assert.deepEqual(problems('name: x\nway: {by: trian, line: 5}\n'), [
      '2:11 "by": must be foot or train; did you mean "train"?',
    ])
    assert.deepEqual(problems('name: x\nway: {by: train, line: 5, shoes: red}\n'), [
      '2:27 unknown key "shoes"; known keys: by, line',
    ])
    assert.deepEqual(problems('name: x\nway: {line: 5}\n').at(-1), '2:7 unknown key "line"; known keys: by, shoes')
  })

  test('refuses what YAML allows but nobody means: keys written twice, aliases, tabs', () => {
    assert.deepEqual(problems('name: x\nname: y\n'), ['2:1 the key "name" is written twice'])
    assert.match(problems('name: &n x\neither: *n\n').join(), /^2:9 aliases/)
    assert.match(problems('a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n').join(), /aliases/)
    assert.match(problems('name: x\nstaff:\n\t- first: a\n').join(), /^3:1 .*[Tt]ab/)
    assert.match(problems('name: x\n---\nname: y\n').join(), /^2:\d+ |document/)
    assert.match(problems('name: [x\n').join(), /^\d+:\d+ /)
  })

  test('takes a key named like a part of JavaScript for what it is', () => {
    assert.deepEqual(problems('name: x\n__proto__: {size: 5}\n'), ['2:1 the key "__proto__" is not allowed'])
    assert.deepEqual(problems('name: x\nrooms: {"__proto__": {area: 5}}\n'), ['2:9 the key "__proto__" is not allowed'])
    const known = 'known keys: name, size, whole, open, kind, staff, rooms, either, item, way'
    assert.deepEqual(problems('name: x\nconstructor: 1\ntoString: {hasOwnProperty: 1}\n'), [
      `2:1 unknown key "constructor"; ${known}`,
      `3:1 unknown key "toString"; ${known}`,
    ])
    const checked = checkDocument(
      'f.yaml',
      'name: x\nrooms: {constructor: {area: 1}}\n',
      z.looseObject({ rooms: shop.shape.rooms }),
    )
    assert.ok(checked.ok)
    assert.deepEqual(Object.entries(checked.value.rooms ?? {}), [['constructor', { area: 1 }]])
    assert.deepEqual(
      problems('name: x\nrooms: {constructor: {aera: 1}}\n').at(-1),
      '2:23 unknown key "aera"; did you mean "area"?',
    )
  })

  test('takes an empty file for no keys, and anything that is no map for a mistake', () => {
    assert.deepEqual(problems(''), ['1:1 the key "name" is missing'])
    assert.deepEqual(problems('# only a comment\n'), ['1:1 the key "name" is missing'])
    assert.deepEqual(problems('just words'), ['1:1 expected keys with values, not a text'])
    assert.deepEqual(problems('- a\n- b\n'), ['1:1 expected keys with values, not a list'])
  })

  test('survives hostile files', () => {
    const deep = 20_000
    assert.deepEqual(problems('['.repeat(deep)), [
      `1:${documentDepthMax + 1} nested more than ${documentDepthMax} levels deep`,
    ])
    for (const text of [
      '{a: '.repeat(deep),
      '- '.repeat(deep),
      `${'['.repeat(deep)}${']'.repeat(deep)}`,
      '? '.repeat(deep),
    ]) {
      assert.match(problems(text).join(), /nested more than/)
    }
    assert.match(problems('x'.repeat(documentBytesMax + 1)).join(), /larger than/)
    const many = Array.from({ length: 20_000 }, (_, index) => `key${index}: 1`).join('\n')
    assert.equal(problems(many).length, documentProblemsMax + 1)
    assert.equal(problems(many).at(-1)?.includes('more problems'), true)
  })

  test('is never the end of the program, whatever is in it', () => {
    const piece = fc.constantFrom(
      'name',
      ':',
      ' ',
      '\n',
      '-',
      '[',
      ']',
      '{',
      '}',
      '&a',
      '*a',
      '!!str',
      '"',
      "'",
      '|',
      '>',
      '\t',
      '?',
      '#',
      '%',
      '~',
      '5',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), pieces => {
        const checked = checkDocument('f.yaml', pieces.join(''), shop)
        if (checked.ok) return
        assert.ok(checked.problems.length > 0)
        for (const { line, column, message } of checked.problems) assert.ok(line > 0 && column > 0 && message !== '')
      }),
      { numRuns: 500 },
    )
  })
})

describe('a check of the file as a whole', () => {
  const schema = z.strictObject({ a: z.number(), b: z.number(), c: z.number().optional() })

  test('sees the sections that are right, though others are wrong', () => {
    const checked = checkDocument('f.yaml', 'a: x\nb: 2\n', schema, {
      inspect: sections => {
        assert.deepEqual(sections, { b: 2, c: undefined })
        return [{ path: ['b'], message: 'is too even' }]
      },
    })
    assert.ok(!checked.ok)
    assert.deepEqual(checked.problems.map(formatProblem), [
      'f.yaml:1:4: "a": expected a number, not a text',
      'f.yaml:2:4: is too even',
    ])
  })

  test('points at the key where the value is not what is wrong', () => {
    const checked = checkDocument('f.yaml', 'a: 1\nb: 2\n', schema, {
      inspect: () => [{ path: ['b'], message: 'must not be here', onKey: true }],
    })
    assert.ok(!checked.ok)
    assert.deepEqual(checked.problems, [{ file: 'f.yaml', line: 2, column: 1, message: 'must not be here' }])
  })

  test('sees the value as it was amended', () => {
    const checked = checkDocument('f.yaml', 'a: 1\n', schema, { amend: plain => ({ ...(plain as object), b: 5 }) })
    assert.ok(checked.ok)
    assert.deepEqual(checked.value, { a: 1, b: 5 })
  })
})

test('the nearest name is one that could be meant, or none', () => {
  assert.equal(nearestName('liste', ['listen', 'limits']), 'listen')
  assert.equal(nearestName('LISTEN', ['listen', 'limits']), 'listen')
  assert.equal(nearestName('completely', ['listen', 'limits']), undefined)
  assert.equal(nearestName('x', []), undefined)
})
