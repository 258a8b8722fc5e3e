/** The judge by cases that a person can check with a finger. Times are seconds since the beginning. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { shiftSaved } from '../../rules/judge/shift.ts'
import type { Condition, Match, RecordRule } from '../../rules/rule.ts'
import { expression, Gateway, startMs, told } from './judging.ts'
import { type RuleChange, ruleOf } from './rules.ts'

const gatewayWith = (...changes: RuleChange[]): Gateway =>
  new Gateway(changes.map((change, index) => ruleOf({ id: `R${index}`, ...change })))

const match = (device: string, metric = '*', labels = {}): Match => ({
  table: 'readings',
  device,
  metric,
  labels,
})
const absent: Condition = { kind: 'absent', afterMs: 60_000 }
const whenTrue = (text: string): Condition => ({ kind: 'expression', violated: expression(text), clear: undefined })

describe('late readings', () => {
  it('are alerts of their own, on their own time, which end when no more come', () => {
    const gateway = gatewayWith({ forMs: 10_000 })
    gateway.send('d', 'm', 1, 10_000, 10_000)
    for (let atS = 0; atS < 5; atS++) gateway.send('d', 'm', 9, 10_001 + atS, 100 + 5 * atS)
    assert.deepEqual(told(gateway.said), ['late fired d/m@110'])
    assert.deepEqual(told(gateway.advance(10_005 + 599)), [])
    assert.deepEqual(told(gateway.advance(10_005 + 600)), ['late resolved d/m@120'])
    assert.equal(gateway.judge.counts().firing, 0)
  })

  it('are those of a backlog too, though it is sent in order and nothing newer is among it', () => {
    const gateway = gatewayWith({})
    gateway.send('d', 'm', 1, 0, 0)
    for (let own = 10; own < 86_000; own += 1000) gateway.send('d', 'm', 9, 90_000 + own / 1000, own)
    assert.ok(gateway.said.length > 0 && gateway.said.every(({ verdict }) => verdict.late))
    assert.deepEqual(told(gateway.send('d', 'm', 9, 90_100, 90_099)), ['fired d/m@90100'])
  })

  it('are not those of a device whose clock is slow, or not set at all', () => {
    const gateway = gatewayWith({})
    gateway.send('slow', 'm', 1, 0, -7200)
    assert.deepEqual(told(gateway.send('slow', 'm', 9, 10, -7190)), ['fired slow/m@10'])
    gateway.send('new', 'm', 1, 20, 20)
    assert.deepEqual(told(gateway.send('new', 'm', 9, 30, -startMs / 1000)), ['fired new/m@30'])
  })

  it('are those of a device that has set its clock back for ten minutes, and then it pages again', () => {
    const gateway = gatewayWith({})
    gateway.send('d', 'm', 1, 0, 0)
    for (let atS = 10; atS < 700; atS += 10) gateway.send('d', 'm', 9, atS, atS - 3600)
    const [first] = gateway.said.filter(({ verdict }) => !verdict.late)
    assert.equal(first?.verdict.firedMs, startMs + 610_000)
  })

  it('stay what they were when they came, whatever the base is by then, and a restart finds the same', () => {
    for (const isRestarted of [false, true]) {
      const gateway = gatewayWith({
        condition: whenTrue('delta() > 4'),
        moments: { kind: 'interval', everyMs: 60_000 },
      })
      gateway.send('d', 'm', 0, 0, -3600)
      gateway.send('d', 'm', 0, 5, 4)
      gateway.send('d', 'm', 5, 6, 5)
      gateway.commit()
      if (isRestarted) gateway.crash(6)
      assert.deepEqual(told([...gateway.said, ...gateway.advance(70)]), ['fired d/m@6'])
    }
    const gateway = gatewayWith({ condition: whenTrue('delta() > 4'), moments: { kind: 'interval', everyMs: 60_000 } })
    gateway.send('d', 'm', 0, 0, -3600)
    gateway.advance(1)
    gateway.append(gateway.book.of('d', 'm'), 5, 5, 4)
    gateway.read(1)
    const [before] = gateway.said
    assert.equal(before?.verdict.firedMs, startMs + 5_000, 'the first reading was not late when the second one came')
    assert.deepEqual(told(gateway.advance(70)), [], 'what has no answer ends no alert')
  })

  it('neither end what fires nor begin a silence', () => {
    const gateway = gatewayWith({}, { condition: absent })
    gateway.send('d', 'm', 9, 0, 0)
    gateway.send('d', 'm', 1, 50, -5000)
    assert.deepEqual(told(gateway.advance(109)), [])
    assert.deepEqual(told(gateway.advance(110)), ['fired d/m@110'])
  })
})

describe('a silence', () => {
  it('is found at its time without any reading, also after a restart, behind a busy series', () => {
    const gateway = gatewayWith({ condition: absent })
    gateway.send('dead', 'm', 5, 0)
    for (let atS = 1; atS < 50; atS++) gateway.send('busy', 'm', 5, atS)
    gateway.commit()
    gateway.crash(55)
    gateway.send('busy', 'm', 5, 59)
    assert.deepEqual(told(gateway.send('busy', 'm', 5, 70)), ['fired dead/m@60'])
    assert.deepEqual(gateway.said[0]?.verdict.value, 5)
    assert.deepEqual(told(gateway.send('dead', 'm', 6, 80)), ['resolved dead/m@80'])
  })

  it('of a device that a rule names begins when the rule comes into force, and survives restarts', () => {
    const gateway = gatewayWith({ condition: absent, match: match('d', 'm') })
    gateway.crash(30)
    gateway.commit()
    gateway.crash(50)
    assert.deepEqual(told(gateway.advance(59)), [])
    assert.deepEqual(told(gateway.advance(61)), ['fired d/m@60'])
    assert.equal(gateway.said[0]?.verdict.value, null)
  })

  it('of all together is heard by any of them', () => {
    const gateway = gatewayWith({ condition: absent, per: 'all' })
    gateway.send('a', 'm', 1, 30)
    gateway.send('b', 'm', 1, 60)
    assert.deepEqual(told(gateway.advance(1000)), ['fired */*@120'])
    assert.deepEqual(told(gateway.send('c', 'x', 1, 1001)), ['resolved */*@1001'])
  })
})

describe('an alert that latches', () => {
  const latched = { latch: true, forMs: 10_000 }
  const name = { rule: 'R0', origin: 'gw', device: 'd', metric: 'm', firedMs: startMs + 10_000 }

  it('waits to be acknowledged when it is over, and fires again as the same alert', () => {
    const gateway = gatewayWith(latched)
    const values: [number, number][] = [
      [0, 9],
      [20, 1],
      [30, 9],
      [50, 1],
    ]
    for (const [atS, value] of values) gateway.send('d', 'm', value, atS)
    assert.deepEqual(told(gateway.said), ['fired d/m@10', 'latched d/m@20', 'refired d/m@40', 'latched d/m@50'])
    gateway.commit()
    gateway.crash()
    const [judged] = gateway.judge.acknowledge(name, 'ada', startMs + 70_000)
    assert.deepEqual([judged?.verdict.kind, judged?.verdict.acked], ['resolved', { by: 'ada', atMs: startMs + 70_000 }])
    assert.deepEqual(gateway.judge.counts(), { firing: 0, pending: 0, refused: 0, latched: 0 })
  })

  it('ends by itself once somebody knows', () => {
    const gateway = gatewayWith(latched)
    gateway.send('d', 'm', 9, 0)
    gateway.advance(10)
    assert.equal(gateway.judge.acknowledge(name, 'ada', startMs + 12_000)[0]?.verdict.kind, 'acknowledged')
    assert.deepEqual(gateway.judge.acknowledge(name, 'bob', startMs + 13_000), [])
    assert.deepEqual(told(gateway.send('d', 'm', 1, 20)), ['resolved d/m@20'])
  })

  it('keeps its hold when it is acknowledged while it is violated again', () => {
    const gateway = gatewayWith(latched)
    for (const [atS, value] of [
      [0, 9],
      [20, 1],
      [30, 9],
    ] as const)
      gateway.send('d', 'm', value, atS)
    assert.equal(gateway.judge.acknowledge(name, 'ada', startMs + 35_000)[0]?.verdict.kind, 'resolved')
    assert.deepEqual(told(gateway.advance(40)), ['fired d/m@40'])
  })
})

describe('an alert that comes and goes', () => {
  it('is one that flaps from its third time on, until it was quiet for as long', () => {
    const gateway = gatewayWith({ flapping: { changes: 2, withinMs: 100_000 } })
    for (let atS = 0; atS < 60; atS += 10) gateway.send('d', 'm', atS % 20 === 0 ? 9 : 1, atS)
    const third = ['fired d/m@0', 'resolved d/m@10', 'fired d/m@20', 'resolved d/m@30', 'flapping fired d/m@40']
    assert.deepEqual(told(gateway.said), third)
    gateway.send('d', 'm', 9, 100)
    gateway.send('d', 'm', 1, 110)
    assert.deepEqual(told(gateway.advance(209)), [])
    assert.deepEqual(told(gateway.advance(210)), ['flapping resolved d/m@210'])
    assert.deepEqual(told(gateway.send('d', 'm', 9, 211)), ['fired d/m@211'])
  })
})

describe('where there is no room', () => {
  it('an alert waits, is counted, and fires as soon as another one ends', () => {
    const gateway = new Gateway([ruleOf({})], startMs, 1)
    gateway.send('a', 'm', 9, 0)
    gateway.send('c', 'm', 9, 1)
    gateway.send('b', 'm', 9, 2)
    assert.deepEqual(gateway.judge.counts(), { firing: 1, pending: 2, refused: 2, latched: 0 })
    gateway.send('c', 'm', 1, 3)
    gateway.commit()
    gateway.crash(4)
    assert.equal(gateway.judge.counts().refused, 1)
    assert.deepEqual(told(gateway.send('a', 'm', 1, 5)), ['resolved a/m@5', 'fired b/m@5'])
  })
})

describe('moments', () => {
  const fresh = { condition: whenTrue('age() > 100'), moments: { kind: 'interval', everyMs: 60_000 } } as const

  it('are judged though no reading comes, and made up for after a restart', () => {
    for (const isRestarted of [false, true]) {
      const gateway = gatewayWith(fresh)
      gateway.send('d', 'm', 1, 10)
      gateway.commit()
      if (isRestarted) gateway.crash(500)
      assert.deepEqual(told(gateway.advance(500)), ['fired d/m@120'])
    }
  })

  it('that were missed are judged by the window of their own time', () => {
    const gateway = gatewayWith({
      condition: whenTrue('count(2m) > 1'),
      moments: { kind: 'interval', everyMs: 120_000 },
    })
    gateway.append(gateway.book.of('d', 'm'), 0, 0)
    gateway.append(gateway.book.of('d', 'm'), 3, 1, -4)
    gateway.append(gateway.book.of('d', 'm'), 0, 176)
    gateway.read(2)
    gateway.commit()
    gateway.crash(176)
    gateway.read(1)
    assert.deepEqual(told(gateway.said), ['fired d/m@120', 'resolved d/m@176'])
  })

  it('are passed over where too many were missed', () => {
    const gateway = gatewayWith({ ...fresh, moments: { kind: 'interval', everyMs: 1000 } })
    gateway.send('d', 'm', 1, 0)
    assert.deepEqual(told(gateway.advance(30_000)), ['fired d/m@20001'])
  })

  it('of a schedule stand in the place of readings', () => {
    const moments = { kind: 'cron', cron: '*/5 * * * *', zone: 'UTC' } as const
    const gateway = gatewayWith({ condition: whenTrue('value == true'), moments })
    gateway.send('door', 'open', true, 10)
    gateway.send('door', 'open', false, 250)
    gateway.send('door', 'open', true, 310)
    assert.deepEqual(told(gateway.advance(900)), ['fired door/open@600'])
  })

  it('go on when the clock was set back', () => {
    const gateway = gatewayWith(fresh)
    gateway.send('d', 'm', 1, 100_000)
    gateway.send('d', 'm', 1, 0)
    gateway.advance(5)
    assert.deepEqual(told(gateway.advance(200)), ['fired d/m@120'])
  })
})

describe('what a rule judges', () => {
  it('may be a device as a whole, or all of them', () => {
    const gateway = gatewayWith(
      { per: 'device', match: match('*', 't*'), condition: whenTrue('max(1m) > 5') },
      { per: 'all', condition: whenTrue('devices(1m) < 2'), moments: { kind: 'interval', everyMs: 60_000 } },
    )
    gateway.send('a', 't1', 1, 1)
    gateway.send('a', 't2', 9, 2)
    gateway.send('b', 't1', 1, 3)
    assert.deepEqual(told(gateway.said), ['fired */*@1', 'fired a/t*@2', 'resolved */*@3'])
    assert.deepEqual(told(gateway.send('a', 't1', 1, 70)), ['resolved a/t*@70', 'fired */*@70'])
  })

  it('is judged again when a series that its expression names has a reading', () => {
    const gateway = gatewayWith({ match: match('*', 'pump'), condition: whenTrue('value && last("flow") < 1') })
    gateway.send('a', 'flow', 5, 0)
    gateway.send('a', 'pump', true, 1)
    gateway.send('b', 'flow', 0, 2)
    assert.deepEqual(told(gateway.said), [])
    assert.deepEqual(told(gateway.send('a', 'flow', 0.5, 3)), ['fired a/pump@3'])
    assert.deepEqual(told(gateway.send('a', 'flow', 2, 4)), ['resolved a/pump@4'])
  })

  it('is chosen by labels of the device, and ends with them', () => {
    const gateway = gatewayWith({ match: match('*', '*', { site: 'ly*' }) })
    gateway.labels.set('a', { site: 'lyon' })
    gateway.send('b', 'm', 9, 0)
    gateway.send('a', 'm', 9, 1)
    assert.deepEqual(told(gateway.said), ['fired a/m@1'])
    gateway.labels.set('a', { site: 'paris' })
    gateway.labels.set('b', { site: 'lyon' })
    const [ended] = gateway.judge.relabel('a', startMs + 5000)
    assert.equal(ended?.verdict.reason, 'the labels of the device have changed')
    gateway.judge.relabel('b', startMs + 5000)
    assert.deepEqual(told(gateway.send('a', 'm', 9, 6)), [])
    assert.deepEqual(told(gateway.send('b', 'm', 9, 7)), ['fired b/m@7'])
    gateway.commit()
    assert.deepEqual(
      [...gateway.saved.keys()].filter(key => key.includes('\0a\0') && !key.startsWith('\0')),
      [],
    )
  })
})

describe('what fired an alert', () => {
  it('names the rows that its expression asked for, in a form that stays small', () => {
    const gateway = gatewayWith({ condition: whenTrue('value > threshold("d/m", "max", 3.0) && row("site", "x").on') })
    gateway.rows.set('thresholds/d/m', { value: { max: 5, note: 'n'.repeat(5000) }, stamp: 7 })
    gateway.rows.set('site/x', { value: { on: true }, stamp: 8 })
    const [said] = gateway.send('d', 'm', 6, 0)
    const [limit, site] = said?.verdict.lookedUp ?? []
    assert.deepEqual(
      [limit?.key, limit?.stamp, site],
      ['d/m', 7, { table: 'site', key: 'x', value: { on: true }, stamp: 8 }],
    )
    assert.ok(JSON.stringify(limit).length < 600)
  })

  it('is the value of an expression that is held against limits', () => {
    const condition: Condition = {
      kind: 'limits',
      of: expression('delta()', 'number'),
      above: { kind: 'literal', value: 3 },
      below: undefined,
      clear: undefined,
    }
    const gateway = gatewayWith({ condition })
    gateway.send('d', 'm', 10, 0)
    const { value, threshold, side } = gateway.send('d', 'm', 14, 1)[0]?.verdict ?? {}
    assert.deepEqual([value, threshold, side], [4, 3, 'above'])
  })
})

describe('a recording', () => {
  const recording = (change: Partial<RecordRule>): RecordRule => {
    const { id, group, file, per, lateAfterMs, labels, fingerprint, match } = ruleOf({ id: 'mean' })
    const base = { id, group, file, per, lateAfterMs, labels, fingerprint, match, moments: undefined }
    return {
      ...base,
      kind: 'record',
      expression: expression('value * 2.0', 'any'),
      metric: 'double',
      table: 'made',
      ...change,
    }
  }

  it('is made with each reading on its own time, also of one that came late', () => {
    const gateway = new Gateway([recording({})])
    gateway.send('d', 'm', 3, 10_000, 9_999)
    gateway.send('d', 'm', 4, 10_001, 50)
    gateway.commit()
    assert.deepEqual(
      gateway.recorded.map(({ device, metric, table, value, timeMs }) => [
        device,
        metric,
        table,
        value,
        timeMs - startMs,
      ]),
      [
        ['d', 'double', 'made', 6, 9_999_000],
        ['d', 'double', 'made', 8, 50_000],
      ],
    )
  })

  it('that has moments is made at these alone', () => {
    const moments = { kind: 'interval', everyMs: 60_000 } as const
    const gateway = new Gateway([recording({ moments, expression: expression('avg(1m)', 'any') })])
    for (let atS = 5; atS < 125; atS += 10) gateway.send('d', 'm', atS, atS)
    gateway.advance(125)
    gateway.commit()
    assert.deepEqual(
      gateway.recorded.map(({ value, atMs }) => [value, (atMs - startMs) / 1000]),
      [
        [30, 60],
        [90, 120],
      ],
    )
  })
})

describe('what was saved', () => {
  it('by an older version is read as it is', () => {
    const gateway = gatewayWith({ forMs: 60_000 })
    const violation = { side: 'above', value: 9, threshold: 8, source: 'literal' }
    const state = { kind: 'pending', violation, sinceMs: startMs, dueMs: startMs + 60_000 }
    gateway.saved.set('R0\0readings\0gw\0d\0m', { fingerprint: '', state })
    gateway.saved.set('R0\0readings\0gw\0e\0m', { fingerprint: 'another', state })
    gateway.crash(10)
    assert.deepEqual(told(gateway.advance(100)), ['fired d/m@60'])
  })

  it('moves with a clock that is put right: holds, silences and lags keep what they have left', () => {
    const gateway = gatewayWith({ forMs: 60_000 }, { condition: absent })
    gateway.send('d', 'm', 9, 0, 3600)
    gateway.commit()
    const offsetMs = 3_600_000
    for (const [key, value] of gateway.saved) {
      gateway.saved.set(key, shiftSaved(key, value, offsetMs, Number.NEGATIVE_INFINITY) ?? value)
    }
    const [reading] = gateway.log
    if (reading) gateway.log[0] = { ...reading, arrivalMs: reading.arrivalMs + offsetMs }
    gateway.crash(3600)
    assert.deepEqual(told(gateway.advance(3659)), [])
    assert.deepEqual(told(gateway.advance(3660)), ['fired d/m@3660', 'fired d/m@3660'])
    assert.equal(gateway.judge.late, 0)
    gateway.send('d', 'm', 9, 3670, 3670)
    assert.equal(gateway.judge.late, 0)
    gateway.send('d', 'm', 9, 3671, 3600)
    assert.equal(gateway.judge.late, 1, 'an hour ahead of a gateway that was an hour behind is no lag')
  })
})
