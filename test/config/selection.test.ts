import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { loadConfig } from '../../runtime/config/load.ts'
import { formatProblem } from '../../runtime/document.ts'

const doors = { environment: {}, hostName: 'pi', readSecret: () => ({ text: '', mode: 0o600 }) }

/** What is wrong with the keys of one published stream, each as `line:column message`. */
function problems(stream: string, more = ''): string[] {
  const text = `bridges:\n  - name: cloud\n    url: mqtt://hub:1883\n    publish:\n      - ${stream}\n${more}`
  const loaded = loadConfig('/etc/c.yaml', text, doors)
  return loaded.ok ? [] : loaded.problems.map(problem => formatProblem(problem).replace('/etc/c.yaml:', ''))
}

describe('the selection of a stream in the configuration', () => {
  test('is taken when it is right', () => {
    assert.deepEqual(problems('{table: readings, where: value > 80, every: {period: 1m, keep: [avg]}}'), [])
    assert.deepEqual(problems('{table: alerts, where: row.state == "firing", columns: [state, rule]}'), [])
  })

  test('points at the word of an expression that is wrong, however it is written', () => {
    const unknown = 'unknown name "devce"; did you mean "device"?'
    assert.deepEqual(problems('{table: readings, where: value > 80 && devce == "a"}'), [`5:48: ${unknown}`])
    assert.deepEqual(problems(`{table: readings, where: 'value > 80 && devce == "a"'}`), [`5:49: ${unknown}`])
    assert.deepEqual(problems('{table: readings, where: "value > 80 && devce == \\"a\\""}'), [`5:49: ${unknown}`])
    assert.deepEqual(problems('table: readings\n        where: >-\n          value > 80\n          && devce == "a"'), [
      `8:14: ${unknown}`,
    ])
    assert.deepEqual(problems('table: readings\n        where: |\n          value > 80 &&\n          devce == "a"'), [
      `8:11: ${unknown}`,
    ])
    assert.deepEqual(problems('{table: readings, where: value >}'), ['5:41: the expression ends too early'])
  })

  test('says what was meant by a single =, and that rows have no live_first', () => {
    assert.deepEqual(problems('{table: readings, where: metric = "t"}'), [
      '5:41: a single = compares nothing: write ==',
    ])
    assert.match(problems('{table: alerts, live_first: true}')[0] ?? '', /^5:25: "alerts" is a records table/)
  })

  test('knows other names for rows than for readings', () => {
    assert.match(
      problems('{table: alerts, where: value > 3}')[0] ?? '',
      /5:32: unknown name "value"; known names: key, row, origin, time/,
    )
    assert.match(problems('{table: readings, where: row.x > 3}')[0] ?? '', /unknown name "row"/)
  })

  test('refuses a part of a table that the same bridge brings down, for it could not converge', () => {
    const both = '    subscribe: [thresholds, readings]\n'
    assert.deepEqual(problems('{table: thresholds, where: row.a == 1, columns: [a]}', both), [
      '5:29: "where" is for tables that only go up: this bridge subscribes to "thresholds" too',
      '5:48: "columns" is for tables that only go up: this bridge subscribes to "thresholds" too',
    ])
    assert.match(
      problems('{table: readings, every: {period: 1m}}', both)[0] ?? '',
      /"every" is for tables that only go up/,
    )
  })

  test('gives summaries a table of their own, with the limits of the table that they sum up', () => {
    const text = `tables: {readings: {kind: series, max_bytes: 10MB}}
bridges: [{name: cloud, url: mqtt://hub, publish: [{table: readings, every: {period: 90s, keep: [avg, avg]}}]}]`
    const loaded = loadConfig('/etc/c.yaml', text, doors)
    assert.ok(loaded.ok)
    const log = 'readings.every-1m30s.cloud'
    assert.deepEqual(loaded.config.bridges[0]?.publish[0]?.every, { periodMs: 90_000, keep: ['avg'], log })
    assert.deepEqual(loaded.config.tables.get(log), loaded.config.tables.get('readings'))
  })

  test('refuses periods of records, and columns that are none', () => {
    assert.match(
      problems('{table: alerts, every: {period: 1m}}')[0] ?? '',
      /"alerts" is a records table; only series have periods/,
    )
    assert.match(problems('{table: readings, columns: [lat, metric]}')[0] ?? '', /5:42: "metric" is no column/)
    assert.match(
      problems('{table: readings, columns: [lat], every: {period: 1m}}')[0] ?? '',
      /leave one of "columns" and "every" out/,
    )
  })
})
