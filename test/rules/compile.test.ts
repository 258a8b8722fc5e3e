import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Value } from '../../runtime/reading.ts'
import { compileExpression } from '../../rules/expression/compile.ts'
import type { RuleExpression, Scope } from '../../rules/expression/scope.ts'
import { nowMs, scopeOf, viewOf } from './scopes.ts'

type Wants = RuleExpression['gives']

function compiled(text: string, wants: Wants = 'any', zone = 'UTC'): RuleExpression {
  const made = compileExpression(text, { zone, wants })
  assert.ok(made.ok, made.ok ? '' : `${text}: ${made.fault.message}`)
  return made.expression
}

const ask = (text: string, scope: Scope, wants: Wants = 'any'): Value | undefined =>
  compiled(text, wants).evaluate(scope)

function fault(text: string, wants: Wants = 'bool'): string {
  const made = compileExpression(text, { zone: 'UTC', wants })
  assert.ok(!made.ok, `nothing was wrong with ${text}`)
  return `${made.fault.offset}: ${made.fault.message}`
}

describe('what an expression of a rule can ask', () => {
  test('the reading: value, device, metric, unit, origin, time', () => {
    const scope = scopeOf({ value: 81.5 })
    assert.equal(ask('value > 80', scope), true)
    assert.equal(ask('value', scope), 81.5)
    assert.equal(ask('device + "/" + metric + unit + origin', scope), 'pump-1/temperaturegw-1')
    assert.equal(ask('unit == "°C"', scopeOf({ value: 1 }, { unit: '°C' })), true)
    assert.equal(ask('time.getHours() == 7', scope), true)
  })

  test('texts, switches, objects and lists', () => {
    assert.equal(ask('value == "open"', scopeOf({ value: 'open' })), true)
    assert.equal(ask('value', scopeOf({ value: true }), 'bool'), true)
    assert.equal(ask('value == true', scopeOf({ value: false })), false)
    assert.equal(ask('value.x > 3', scopeOf({ value: { x: 4 } })), true)
    assert.equal(ask('value.x > 3', scopeOf({ value: { y: 4 } })), undefined)
    assert.equal(ask('value[1] == 20 && size(value) == 2', scopeOf({ value: [10, 20] })), true)
    assert.equal(ask('value in ["open", "ajar"] ? 1 : 0', scopeOf({ value: 'ajar' }), 'number'), 1)
    assert.equal(ask('value.lowerAscii().startsWith("err")', scopeOf({ value: 'ERR 7' })), true)
  })

  test('the reading before, and the difference to it', () => {
    const scope = scopeOf({ value: 81, previous: 80.5 })
    assert.equal(ask('previous()', scope), 80.5)
    assert.equal(ask('delta()', scope), 0.5)
    assert.equal(ask('previous() == "open" && value == "closed"', scopeOf({ value: 'closed', previous: 'open' })), true)
    assert.equal(ask('delta()', scopeOf({ value: true, previous: false })), 1)
    assert.equal(ask('delta()', scopeOf({ value: 3 })), undefined)
    assert.equal(ask('abs(delta())', scopeOf({ value: 3, previous: 5.5 })), 2.5)
    assert.equal(ask('abs(value)', scopeOf({ value: 'open' })), undefined)
    assert.equal(ask('abs(-3)', scopeOf({})), 3)
  })

  test('windows: avg, min, max, sum, count, stddev, first, last, delta, rate, zscore, devices', () => {
    const scope = scopeOf({ value: 5, view: viewOf() })
    const answers = { avg: 3, min: 1, max: 5, sum: 36, count: 12, stddev: 1.5, first: 1, last: 5, delta: 4, devices: 4 }
    for (const [name, answer] of Object.entries(answers)) assert.equal(ask(`${name}(5m)`, scope), answer, name)
    assert.equal(ask('rate(5m)', scope), 4 / 60)
    assert.equal(ask('zscore(1h)', scope), 5)
  })

  test('another series, of the same device or of one that is named', () => {
    const others = { pressure: { value: 3, atMs: nowMs - 5_000, view: viewOf() }, 'pump-2/pressure': { value: 4 } }
    const scope = scopeOf({ value: 1 }, { others })
    assert.equal(ask('last("pressure")', scope), 3)
    assert.equal(ask('last("pump-2", "pressure")', scope), 4)
    assert.equal(ask('avg("pressure", 5m)', scope), 3)
    assert.equal(ask('age("pressure")', scope), 5)
    assert.equal(ask('avg("pump-2", "pressure", 5m)', scope), undefined)
    assert.equal(ask('last("flow")', scope), undefined)
  })

  test('silence: how long ago something came, and whether that is too long', () => {
    const scope = scopeOf({ value: 1, atMs: nowMs - 600_000 })
    assert.equal(ask('age()', scope), 600)
    assert.equal(ask('absent(10m)', scope), true)
    assert.equal(ask('absent(11m)', scope), false)
    assert.equal(ask('absent("pressure", 10m)', scope), undefined)
  })

  test('thresholds and rows of any table, with a field and a default', () => {
    const rows = {
      'thresholds/pump-1/max': 80.5,
      'thresholds/pump-1': { max: 70, min: 'no' },
      'limits/a': { b: { c: 3 } },
    }
    const scope = scopeOf({ value: 1 }, { rows })
    assert.equal(ask('threshold(device + "/max")', scope), 80.5)
    assert.equal(ask('threshold(device + "/min", 12)', scope), 12)
    assert.equal(ask('threshold(device + "/min")', scope), undefined)
    assert.equal(ask('threshold(device, "max", 5)', scope), 70)
    assert.equal(ask('threshold(device, "min", 5)', scope), 5)
    assert.equal(ask('threshold(device, "max")', scope), 70)
    assert.equal(ask('threshold(device, 4.5)', scope), 4.5)
    assert.equal(ask('row("limits", "a").b.c', scope), 3)
    assert.equal(ask('row("limits", "b").b', scope), undefined)
  })

  test('labels of the device', () => {
    const scope = scopeOf({ value: 1 }, { labels: { site: 'lyon' } })
    assert.equal(ask('label("site") == "lyon"', scope), true)
    assert.equal(ask('label("floor") == "2"', scope), undefined)
  })

  test('the time of day and the day of the week, where the rules are at home', () => {
    const scope = scopeOf({ value: 1 }, { nowMs: Date.UTC(2026, 2, 29, 0, 59) })
    const later = scopeOf({ value: 1 }, { nowMs: Date.UTC(2026, 2, 29, 1, 0) })
    const text = 'weekday() + " " + time_of_day()'
    assert.equal(compiled(text, 'any', 'Europe/Berlin').evaluate(scope), 'sun 01:59')
    // Clocks go forward there.
    assert.equal(compiled(text, 'any', 'Europe/Berlin').evaluate(later), 'sun 03:00')
    assert.equal(compiled(text, 'any', 'America/New_York').evaluate(scope), 'sat 20:59')
    assert.equal(compiled('hour() * 100 + minute()', 'number', 'Asia/Kathmandu').evaluate(scope), 644)
  })
})

describe('a question without data', () => {
  const empty = scopeOf({ timeMs: undefined, atMs: undefined })

  test('has no answer, whatever is made of it', () => {
    const texts = ['value > 1', 'avg(5m) > 1', '!(rate(5m) > 1)', 'previous() == 1', 'last("a") + 1', 'zscore(1h)']
    for (const text of [...texts, 'threshold("a")', 'row("t", "k")', 'label("a")', 'absent(5m)', 'age()', 'delta()']) {
      assert.equal(ask(text, empty), undefined, text)
    }
  })

  test('does not matter where || or && or ?: can do without', () => {
    assert.equal(ask('avg(5m) > 1 || device == "pump-1"', empty), true)
    assert.equal(ask('device == "pump-1" || avg(5m) > 1', empty), true)
    assert.equal(ask('avg(5m) > 1 && device == "x"', empty), false)
    assert.equal(ask('avg(5m) > 1 || device == "x"', empty), undefined)
    assert.equal(ask('avg(5m) > 1 && device == "pump-1"', empty), undefined)
    assert.equal(ask('device == "pump-1" ? 1 : avg(5m)', empty), 1)
  })

  test('is told apart from nothing in a window: then a count is 0', () => {
    const view = viewOf({ readings: 0, count: 0, devices: 0, before: { count: 0, mean: 0, stddev: 0 } })
    const scope = scopeOf({ value: 1, view })
    assert.equal(ask('count(5m)', scope), 0)
    assert.equal(ask('devices(5m)', scope), 0)
    for (const name of ['avg', 'min', 'max', 'sum', 'stddev', 'first', 'last', 'delta', 'rate', 'zscore']) {
      assert.equal(ask(`${name}(5m)`, scope), undefined, name)
    }
  })

  test('is what one reading, or a still one, gives where two or a spread are needed', () => {
    const one = { value: 5, timeMs: 1_000 }
    const single = scopeOf({ value: 5, view: viewOf({ count: 1, first: one, last: one }) })
    assert.equal(ask('delta(5m)', single), undefined)
    assert.equal(ask('rate(5m)', single), undefined)
    const few = viewOf({ before: { count: 9, mean: 2, stddev: 1 } })
    assert.equal(ask('zscore(1h)', scopeOf({ value: 5, view: few })), undefined)
    const still = viewOf({ before: { count: 100, mean: 2, stddev: 0 } })
    assert.equal(ask('zscore(1h)', scopeOf({ value: 5, view: still })), undefined)
  })

  test('is what no number can hold', () => {
    const most = Number.MAX_VALUE
    const torn = {
      sum: Infinity,
      mean: -Infinity,
      stddev: Number.NaN,
      before: { count: 20, mean: 0, stddev: Infinity },
    }
    const ends = { first: { value: -most, timeMs: 0 }, last: { value: most, timeMs: 1_000 } }
    const scope = scopeOf({ value: most, previous: -most, view: viewOf({ ...torn, ...ends }) })
    for (const text of ['sum(5m)', 'avg(5m)', 'stddev(5m)', 'delta(5m)', 'rate(5m)', 'zscore(5m)', 'delta()']) {
      assert.equal(ask(text, scope), undefined, text)
      assert.equal(ask(`${text} > 1`, scope), undefined, text)
      assert.equal(ask(`!(${text} < 1)`, scope), undefined, text)
    }
    const narrow = viewOf({ before: { count: 20, mean: -most, stddev: 1 } })
    assert.equal(ask('zscore(5m)', scopeOf({ value: most, view: narrow })), undefined)
    assert.equal(ask('max(5m) > 1', scope), true)
  })

  test('is also what no reading could have been', () => {
    const long = scopeOf({ value: 'x'.repeat(4_000) })
    assert.equal(ask('value + value', long), undefined)
    assert.equal(ask('[value, value]', long), undefined)
    assert.equal(ask(`${'['.repeat(17)}1${']'.repeat(17)}`, long), undefined)
    assert.equal(ask('row("t", "k")', scopeOf({}, { rows: { 't/k': null } })), undefined)
    assert.deepEqual(ask('{"a": [1, value]}', scopeOf({ value: 2.5 })), { a: [1, 2.5] })
  })

  test('is also a number that none can be held against', () => {
    assert.equal(ask('value / 0', scopeOf({ value: 1 }), 'number'), undefined)
    assert.equal(ask('value', scopeOf({ value: 'open' }), 'number'), undefined)
    assert.equal(ask('value', scopeOf({ value: 3 }), 'bool'), undefined)
  })
})

describe('what a rule needs is known when it is read', () => {
  test('windows and the reading before, of its own and of others', () => {
    const { needs } = compiled(
      'avg(5m) > max("5m") + delta() || rate("b", "c", 1h) > 1 || last("c") > 2 || devices(1m) > 1',
    )
    assert.deepEqual(needs.own, { windowsMs: [60_000, 300_000], previous: true, devices: true })
    assert.deepEqual(needs.others, [
      { device: 'b', metric: 'c', windowsMs: [3_600_000], previous: false, devices: false },
      { device: undefined, metric: 'c', windowsMs: [], previous: false, devices: false },
    ])
  })

  test('tables, labels, and whether time alone changes the answer', () => {
    const { needs } = compiled('value > threshold("a", row("limits", label("x")).y)')
    assert.deepEqual([needs.tables, needs.labels, needs.changesWithTime], [['thresholds', 'limits'], true, false])
    for (const text of [
      'avg(5m)',
      'age()',
      'absent(5m)',
      'hour()',
      'minute()',
      'weekday()',
      'time_of_day()',
      'age("a")',
    ]) {
      assert.ok(compiled(text).needs.changesWithTime, text)
    }
    for (const text of ['value', 'delta()', 'last("a")', 'previous()', 'label("a")']) {
      assert.ok(!compiled(text).needs.changesWithTime, text)
    }
  })
})

describe('durations in expressions', () => {
  test('stand as they are, or in quotes', () => {
    for (const written of ['90s', '1m30s', '1.5m', '"90s"', "'1m30s'"]) {
      assert.deepEqual(compiled(`avg(${written})`).needs.own.windowsMs, [90_000], written)
    }
  })

  test('are nothing but text inside of texts, and hide no place of a fault', () => {
    const scope = scopeOf({ value: 'wait 5m' })
    assert.equal(ask('value == "wait 5m" // 5m', scope), true)
    const quoted = String.raw`value == "a \" 5m" || value == r"\" 5m" || value == """a"5m""" || value.endsWith('5m')`
    assert.equal(ask(quoted, scope), true)
    assert.equal(fault('avg(1h30m) > 1 && count(1.5h) > devce'), '32: unknown name "devce"; did you mean "device"?')
  })

  test('are refused where they mean nothing', () => {
    assert.match(fault('value > 5m'), /^8: the duration 5m stands alone/)
    assert.match(fault('avg(5min) > 1'), /^4: "5min" is neither a number nor a duration/)
    assert.match(fault('avg(500ms) > 1'), /^4: 500ms is out of bounds: avg takes 1s to 24h$/)
    assert.match(fault('avg(25h) > 1'), /^4: 1d1h is out of bounds/)
    assert.match(fault('absent(8d)'), /^7: 8d is out of bounds: absent takes 1s to 7d$/)
  })

  test('leave numbers alone', () => {
    assert.equal(ask('0x1F + 5 + int(1e2)', scopeOf({}), 'number'), 136)
  })
})

describe('numbers in expressions', () => {
  test('mix and divide as people write them, whole or not', () => {
    const scope = scopeOf({ value: 100 })
    assert.equal(ask('value * (9 / 5) + 32', scope), 212)
    assert.equal(ask('-9 / 2', scope), -4.5)
    assert.equal(ask('(7 - 4) / 2', scope), 1.5)
    assert.equal(ask('device == "x" ? value / 2 : 1', scope), 1)
    assert.equal(ask('device == "x" ? -1 : threshold("a", 3)', scope), 3)
    assert.equal(ask('size(device) / 4', scope), 1.5)
    assert.equal(ask('[10, 20][1] + 1', scope), 21)
    const counted = scopeOf({ value: 3, view: viewOf({ readings: 3, mean: 2.5 }) })
    for (const text of [
      'count(5m) == 3',
      '3 == count(5m)',
      'count(5m) != 4',
      'count(5m) in [1, 2, 3]',
      'count(5m) in [3]',
    ]) {
      assert.equal(ask(text, counted), true, text)
    }
    for (const text of [
      'size(device) in [6]',
      'size(device) in [1, 6]',
      'value in [3]',
      'avg(5m) in [1, 2.5]',
      'value in [1.5, 3]',
    ]) {
      assert.equal(ask(text, counted), true, text)
    }
    assert.equal(ask('avg(5m) in [1, 2]', counted), false)
    assert.equal(ask('device.substring(0, 4)', scope), 'pump')
  })
})

describe('a mistake in an expression of a rule', () => {
  test('in how a function is called is told with its place and how to write it', () => {
    assert.equal(fault('avg(300) > 3'), '4: write a duration with its unit, such as avg(5m)')
    assert.equal(fault('avg() > 3'), '0: avg needs a duration, such as avg(5m)')
    assert.equal(fault('value > 1 && rate("a") > 3'), '18: rate needs a duration, such as rate(5m)')
    assert.match(fault('avg(pressure, 5m) > 3'), /^4: .* write "pressure" in quotes$/)
    assert.match(fault('avg(device + "a", 5m) > 3'), /which series it needs must be known beforehand$/)
    assert.equal(fault('avg(5m, "a") > 3'), '4: the duration comes last, as in avg("pressure", 5m)')
    assert.match(fault('avg("a", "b", "c", 5m) > 3'), /^14: avg takes a device, a metric and a duration at most/)
    assert.match(fault('previous(5m) == 1'), /^9: previous takes no duration/)
    assert.match(fault('devices("a", 5m) > 1'), /^8: devices takes a duration alone/)
    assert.match(fault('hour(5) > 1'), /^5: hour takes nothing between its brackets/)
    assert.match(fault('row(device, "a").x > 1'), /^4: the table is a text in quotes/)
    assert.match(fault('threshold() > 1'), /^0: threshold takes a key/)
    assert.match(fault('label("a", "b") == "c"'), /^0: label takes the name of a label/)
    assert.match(fault('abs() > 1'), /^0: abs takes a number/)
    assert.match(fault('abs(device) > 1'), /^4: a number belongs here, not a text$/)
    assert.match(fault(`avg("${'x'.repeat(129)}", 5m) > 1`), /a name of 129 bytes/)
  })

  test('in kinds of values is told before any reading comes', () => {
    assert.equal(fault('device > 80'), '0: a text and a number cannot be compared with >')
    assert.equal(fault('avg(5m) > "high"'), '0: a number and a text cannot be compared with >')
    assert.equal(fault('device in [1, 2]'), '0: a text is never in a list of another kind')
    assert.equal(fault('value in "abc"'), '0: "in" looks into a list, not into a text')
    assert.equal(fault('avg(5m) && true'), '0: && and || take what is true or false, not a number')
    assert.equal(fault('threshold(3) > 1'), '10: a text belongs here, not a number')
    assert.equal(fault('threshold("a", true) > 1'), '15: a number or a text belongs here, not true or false')
    assert.equal(fault('threshold("a", "b", "c") > 1'), '20: a number belongs here, not a text')
  })

  test('in what a clock shows is told, for nobody would notice', () => {
    assert.equal(fault('weekday() == "Monday"'), '13: weekday() is never "Monday"; did you mean "mon"?')
    assert.match(fault('value > 1 && weekday() in ["sat", "sonntag"]'), /^34: weekday\(\) is never "sonntag"/)
    assert.match(fault('"9:30" <= time_of_day()'), /^0: time_of_day\(\) has two digits .* such as "09:30", not "9:30"$/)
    assert.match(fault('time_of_day() > "24:00"'), /^16: /)
  })

  test('in what the rule wants is told with what to do', () => {
    assert.match(fault('avg(5m)', 'bool'), /^0: the answer is a number, not true or false: compare it with something/)
    assert.match(
      fault('avg(5m) > 3', 'number'),
      /^0: the answer is true or false, not a number: leave the comparison away/,
    )
    assert.match(fault('device', 'number'), /^0: the answer is a text, not a number$/)
    assert.match(fault('time', 'any'), /^0: the answer is a time, which is no value of a reading$/)
  })

  test('in a name is told with the nearest that there is', () => {
    assert.match(fault('devce == "a"'), /did you mean "device"/)
    assert.match(fault('stdev(5m) > 1'), /^0: unknown function "stdev"; did you mean "stddev"\?$/)
    assert.match(fault('device.startswith("a")'), /unknown method "startswith"; did you mean "startsWith"\?$/)
    assert.match(fault('value.avg(5m) > 1'), /^0: avg does not follow a point/)
  })

  test('that would take long, or look too far, is refused', () => {
    assert.match(fault('device.matches("^(a+)+$")'), /regular expressions are not supported/)
    assert.match(fault('cel.bind(a, device, a == "")'), /cel.bind is not supported/)
    assert.match(fault('value.exists(a, value.exists(b, a == b))'), /may not stand inside another walk/)
    assert.match(fault('x'.repeat(5_000)), /longer than 4096 characters/)
    fault(`${'('.repeat(100)}value > 1${')'.repeat(100)}`)
    fault(`value > 1${' && avg(5m) > 1'.repeat(200)}`)
    fault(`threshold(${'threshold('.repeat(60)}"a"${', 1)'.repeat(60)}) > 1`)
    fault(`value in [${'1,'.repeat(200)}1]`)
    const windows = Array.from({ length: 9 }, (_, at) => `avg(${at + 1}m) > 1`).join(' && ')
    assert.match(fault(windows), /more than 8 lengths of windows over one series/)
    const series = Array.from({ length: 17 }, (_, at) => `last("m${at}") > 1`).join(' && ')
    assert.match(fault(series), /more than 16 other series in one expression/)
  })
})

describe('whatever is written', () => {
  const words =
    'value avg threshold last device ( ) 5m 1h30 "a" \' """ , . [ ] > == && ! ? : 80 1.5 row { } \\ // r" hour() delta()'
  const piece = fc.constantFrom(...words.split(' '), '\n')

  test('it compiles or is refused at a place in the text, and never throws when it is asked', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), fc.string(), fc.jsonValue(), (pieces, rest, value) => {
        for (const text of [pieces.join(''), pieces.join(' '), rest]) {
          const made = compileExpression(text, { zone: 'UTC', wants: 'any' })
          if (made.ok) made.expression.evaluate(scopeOf({ value: value as Value, view: viewOf() }))
          else assert.ok(made.fault.offset >= 0 && made.fault.offset <= text.length, text)
        }
      }),
    )
  })

  test('nothing throws at objects that pretend to be something else', () => {
    const hostile = JSON.parse(
      '{"toString":1,"valueOf":2,"constructor":3,"__proto__":{"x":1},"hasOwnProperty":4}',
    ) as Value
    const own = { value: hostile, previous: hostile }
    const scope = scopeOf(own, {
      rows: { 't/k': hostile, 'thresholds/a': hostile },
      others: { b: own },
    })
    const texts = ['value', '-value', '!value', 'value.x', 'value["toString"]', 'value[0]', 'value ? 1 : 2', 'delta()']
    const more = [
      'abs(value)',
      'threshold(value)',
      'threshold("a", value)',
      'threshold("a", "x", value)',
      'row("t", value)',
    ]
    const pairs = '+ - * / % == != < >= && || in'
      .split(' ')
      .flatMap(sign => [`value ${sign} previous()`, `3 ${sign} value`])
    for (const text of [
      ...texts,
      ...more,
      ...pairs,
      'value + "a"',
      'last("b").x',
      'row("t", "k").x + 1',
      'label(value)',
    ]) {
      for (const wants of ['bool', 'number', 'any'] as const) {
        const made = compileExpression(text, { zone: 'UTC', wants })
        if (made.ok) made.expression.evaluate(scope)
      }
    }
    assert.equal(ask('value.x', scope), undefined)
  })

  test('quotes that never end and runs of backslashes are read in one go', () => {
    for (const text of [
      '"'.repeat(4_000),
      `"""${'\\'.repeat(4_000)}`,
      "'\\".repeat(1_300),
      `5${'.5'.repeat(2_000)}m`,
    ]) {
      fault(text)
    }
  })
})
