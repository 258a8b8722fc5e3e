import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Summary } from '../../firmware-sim/counts.ts'
import { openBroker } from './recording-broker.ts'

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
const program = fileURLToPath(new URL(`../../firmware-sim/main.${extension}`, import.meta.url))

type Outcome = { code: number | null; out: string; err: string }

async function run(args: string[], onOutput?: (err: string, interrupt: () => void) => void): Promise<Outcome> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString()
    onOutput?.(err, () => child.kill('SIGINT'))
  })
  const code = await new Promise<number | null>(resolve => child.on('close', resolve))
  return { code, out, err }
}

test('the command runs a plan for its time and prints a summary that agrees with the broker', async t => {
  const { url, received, close } = await openBroker()
  t.after(close)
  const folder = mkdtempSync(join(tmpdir(), 'firmware-sim-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const plan = join(folder, 'plan.yaml')
  writeFileSync(
    plan,
    'devices: [{ name: "d-{n}", count: 3, every: 20ms, metrics: { m: { wave: constant, value: 1 } } }]',
  )
  const { code, out, err } = await run(['--plan', plan, '--url', url, '--duration', '1s', '--json', '--seed', '3'])
  const summary = JSON.parse(out) as Summary
  assert.deepEqual({ code, err }, { code: 0, err: '' })
  assert.deepEqual([summary.seed, summary.devices, summary.outstanding], [3, 3, 0])
  assert.ok(summary.readingsAcknowledged > 0)
  assert.equal(received.length, summary.acknowledged)
})

test('SIGINT stops the command cleanly, with every reading acknowledged', async t => {
  const { url, received, close } = await openBroker({ ackAfterMs: 20 })
  t.after(close)
  const { code, out } = await run(['--url', url, '--json', '--verbose', '--rate-report'], (err, interrupt) => {
    if (/[1-9]\d* published/.test(err) && !err.includes('stopping')) interrupt()
  })
  const summary = JSON.parse(out) as Summary
  assert.equal(code, 0)
  assert.equal(summary.outstanding, 0)
  assert.equal(summary.readings, summary.readingsAcknowledged)
  assert.equal(received.length, summary.acknowledged)
})

test('what cannot be run is one sentence for each problem, exit code 1 and no stack', async () => {
  const unknown = await run(['--plann', 'x'])
  assert.deepEqual(unknown, { code: 1, out: '', err: 'unknown flag --plann; did you mean "--plan"?\n' })
  const absent = await run(['--plan', '/nowhere.yaml'])
  assert.equal(absent.code, 1)
  assert.match(absent.err, /^the plan "\/nowhere.yaml" cannot be read: ENOENT.*\n$/)
})

test('a broker that is not there is told once, and the exit code says that nothing was reached', async () => {
  const { url, close } = await openBroker()
  await close()
  const { code, out, err } = await run(['--url', url, '--duration', '300ms'])
  assert.equal(code, 1)
  assert.match(err, /^cannot connect to mqtt:\/\/127\.0\.0\.1:\d+: connect ECONNREFUSED .*; trying again\n$/)
  assert.match(out, /refused +\d+ {2}attempts to connect/)
})
