/** Bad input as a person meets it: what is wrong, where, and what to do; and nothing that runs is disturbed by it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { holdfast } from '../commands/holdfast.ts'
import { openProxy } from '../rigs/proxy.ts'
import { Publisher } from './publisher.ts'
import { eventually, freePort, type Program, Site, storeConfig } from './programs.ts'

const rulesWith = (limit: string): string => `
groups:
  - name: cold-store
    rules:
      - alert: TooWarm
        match: { metric: temperature }
        ${limit}
`

const configOf = (port: number): string =>
  `gateway: { id: gw }\n${storeConfig}\nbroker: { listen: '127.0.0.1:${port}' }\n`

/** It must not start: one sentence with what to do, exit code 1, no stack, and in the log no more than what the time is. */
async function refusedStart(config: string): Promise<string> {
  const { code, out, err } = await holdfast(['run', '--config', config])
  assert.equal(code, 1, err)
  const said = out.split('\n').filter(line => line !== '')
  for (const line of said) assert.equal((JSON.parse(line) as { room: string }).room, 'clock')
  assert.match(err, /^holdfast: [^\n]+[.?]\n$/)
  assert.doesNotMatch(err, /\bat .*:\d+:\d+\)?$/m)
  return err
}

/** Of the alerts of devices: the gateway raises one on itself meanwhile. */
const thresholds = async (program: Program): Promise<unknown[]> =>
  (await program.alerts())
    .filter(({ group }) => group !== 'holdfast')
    .map(({ value, threshold, state }) => [value, threshold, state])

describe('bad input', { concurrency: 3, timeout: 120_000 }, () => {
  test('an unknown key of the configuration names the nearest known one, with line and column', async t => {
    const gateway = new Site(t).program('gateway', { config: 'gateway: { id: gw }\nbrokr:\n  listen: 127.0.0.1:0\n' })
    const { code, err } = await holdfast(['run', '--config', gateway.config])
    assert.equal(code, 1)
    assert.equal(
      err,
      `holdfast: the configuration has a problem:
${gateway.config}:2:1: unknown key "brokr"; did you mean "broker"?
Correct it, and look again with "holdfast check".
`,
    )
    assert.equal(existsSync(join(gateway.folder, 'data')), false)
  })

  test('a bad rule file says file, line and column and leaves the rules in force; a good one comes into force at once', async t => {
    const port = await freePort()
    const gateway = new Site(t).program('gateway', { config: configOf(port), rules: rulesWith('above: 8') })
    await gateway.start()
    const publisher = new Publisher(port)
    await publisher.publish(1, () => 8.5)
    await eventually(async () => assert.deepEqual(await thresholds(gateway), [[8.5, 8, 'firing']]))
    await publisher.publish(1, () => 7)
    await eventually(async () => assert.deepEqual(await thresholds(gateway), [[8.5, 8, 'resolved']]))

    gateway.writeRules(`${rulesWith('abvoe: 5')}        for: soon\n`)
    const place = join(gateway.folder, 'rules', 'rules.yaml')
    await eventually(async () => {
      const { rules } = await gateway.status()
      assert.equal(rules?.problems.length, 2, rules?.problems.join('\n'))
      for (const problem of rules.problems) assert.match(problem, /^\/.*rules\.yaml:\d+:\d+: /)
      assert.ok(rules.problems.includes(`${place}:7:9: unknown key "abvoe"; did you mean "above"?`))
      assert.ok(rules.problems.some(problem => problem.startsWith(`${place}:8:14: `)))
    })
    await eventually(() =>
      assert.ok(gateway.heard.some(({ level, problems }) => level === 'error' && String(problems).includes(':7:9: '))),
    )
    // 6 would be above the limit that was meant; 8.7 is above the one in force.
    await publisher.publish(2, index => [6, 8.7][index] ?? 0)
    await eventually(async () => assert.deepEqual((await thresholds(gateway))[1], [8.7, 8, 'firing']))
    assert.equal((await thresholds(gateway)).length, 2)

    gateway.writeRules(rulesWith('above: 5'))
    await eventually(async () => assert.deepEqual((await gateway.status()).rules?.problems, []))
    // The alert belonged to a rule that means something else now.
    await eventually(async () => assert.deepEqual((await thresholds(gateway))[1], [8.7, 8, 'resolved']))
    await publisher.publish(1, () => 6)
    await eventually(async () => assert.deepEqual((await thresholds(gateway))[2], [6, 5, 'firing']))
  })

  test('a port in use is one sentence, and the store is free for the next try', async t => {
    const other = createServer()
    await once(other.listen(0, '127.0.0.1'), 'listening')
    t.after(() => other.close())
    const { port } = other.address() as { port: number }
    const gateway = new Site(t).program('gateway', { config: configOf(port) })
    assert.match(await refusedStart(gateway.config), new RegExp(`127\\.0\\.0\\.1:${port}.*another program`))
    writeFileSync(gateway.config, configOf(await freePort()))
    await gateway.start()
  })

  test('the port of a hub in use is one sentence too', async t => {
    const other = createServer()
    await once(other.listen(0, '127.0.0.1'), 'listening')
    t.after(() => other.close())
    const { port } = other.address() as { port: number }
    const config = `gateway: { id: hub }\n${storeConfig}\nhub: { listen: '127.0.0.1:${port}' }\n`
    const hub = new Site(t).program('hub', { config })
    assert.match(await refusedStart(hub.config), new RegExp(`127\\.0\\.0\\.1:${port}.*another program`))
  })

  test('a folder that cannot be made is one sentence', async t => {
    const site = new Site(t)
    // Root may write anywhere; below a regular file nobody can.
    writeFileSync(join(site.folder, 'file'), '')
    const gateway = site.program('gateway', {
      config: 'store: { path: ../file/data }\nbroker: { listen: 127.0.0.1:0 }\n',
    })
    assert.match(await refusedStart(gateway.config), /file\/data.*set store\.path to another folder/)
  })

  test('a store that a running gateway holds is one sentence, and that gateway goes on', async t => {
    const port = await freePort()
    const gateway = new Site(t).program('gateway', { config: configOf(port) })
    await gateway.start()
    const second = join(gateway.folder, 'second.yaml')
    writeFileSync(second, `${storeConfig}\nbroker: { listen: 127.0.0.1:0 }\n`)
    assert.match(await refusedStart(second), /the store at .*data is in use by another Holdfast\. Stop the other one/)
    await new Publisher(port).publish(1)
    assert.equal((await gateway.readings()).length, 1)
  })

  test('a hub that does not exist costs one line of log, and the gateway does its work', async t => {
    const [port, nowhere] = [await freePort(), await freePort()]
    const bridge = `bridges: [{ name: up, url: 'mqtt://127.0.0.1:${nowhere}', publish: [readings, alerts] }]\n`
    const gateway = new Site(t).program('gateway', { config: configOf(port) + bridge, rules: rulesWith('above: 8') })
    await gateway.start()
    await new Publisher(port).publish(100, index => (index === 99 ? 9 : 5))
    await eventually(async () => assert.deepEqual(await thresholds(gateway), [[9, 8, 'firing']]))
    await eventually(async () => {
      const { state, reason, streams } = await gateway.bridge()
      assert.equal(state, 'offline')
      assert.match(reason ?? '', /ECONNREFUSED/)
      assert.deepEqual(
        streams.filter(({ behind }) => behind > 0).map(({ table, behind, state }) => [table, behind, state]),
        [
          ['readings', 100, 'offline'],
          ['alerts', 1, 'offline'],
        ],
      )
    })
    assert.equal(gateway.heard.filter(({ room, level }) => room === 'bridge' && level === 'warn').length, 1)
  })

  test('the identical configuration again leaves data, queue and alerts untouched', async t => {
    const site = new Site(t)
    const [port, hubPort] = [await freePort(), await freePort()]
    const hub = site.program('hub', {
      config: `gateway: { id: hub }\n${storeConfig}\nhub: { listen: '127.0.0.1:${hubPort}' }\n`,
    })
    const link = await openProxy({ target: { host: '127.0.0.1', port: hubPort } })
    t.after(() => link.close())
    link.cut()
    const bridge = `bridges: [{ name: up, url: 'mqtt://127.0.0.1:${link.port}', publish: [readings, alerts] }]\n`
    const files = { config: configOf(port) + bridge, rules: rulesWith('above: 8') }
    const gateway = site.program('gateway', files)
    await Promise.all([hub.start(), gateway.start()])
    await new Publisher(port).publish(100, index => (index === 99 ? 9 : 5))
    await eventually(async () => assert.deepEqual(await thresholds(gateway), [[9, 8, 'firing']]))
    const before = await stateOf(gateway)

    // Written anew and read again while it runs, and at a new start.
    gateway.write(files)
    process.kill(gateway.pid, 'SIGHUP')
    await eventually(() => assert.ok(gateway.heard.some(({ msg }) => msg === 'rules read again')))
    assert.deepEqual(await stateOf(gateway), before)
    await gateway.stop()
    gateway.write(files)
    assert.equal(readFileSync(gateway.config, 'utf8'), files.config)
    await gateway.start()
    assert.deepEqual(await stateOf(gateway), before)

    link.restore()
    await eventually(async () => {
      assert.deepEqual(
        (await hub.readings()).map(({ id }) => id),
        before.readings.map(({ id }) => id),
      )
      assert.deepEqual(
        (await hub.rows('alerts')).map(({ value }) => value),
        before.alerts.map(({ value }) => value),
      )
    })
  })
})

async function stateOf(gateway: Program) {
  const { streams } = await gateway.bridge()
  const { rules, store } = await gateway.status()
  return {
    readings: await gateway.readings(),
    alerts: await gateway.rows('alerts'),
    queue: streams.map(({ table, behind, confirmed }) => ({ table, behind, confirmed })),
    firing: rules?.firing,
    epoch: store.epoch,
  }
}
