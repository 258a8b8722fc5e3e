import assert from 'node:assert/strict'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { promisify } from 'node:util'
import { ended, holdfast, linesFrom, start } from './holdfast.ts'

let folder: string
const running = new Set<ChildProcessWithoutNullStreams>()
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-run-'))
})
after(() => rmSync(folder, { recursive: true, force: true }))
afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
  running.clear()
})

type Ready = { readonly child: ChildProcessWithoutNullStreams; readonly port: string; readonly config: string }

function configure(name: string, text: string): string {
  const config = join(folder, `${name}.yaml`)
  writeFileSync(config, `store:\n  path: ./${name}\n  ballast: 1MB\n${text}`)
  return config
}

/** A gateway that says it is ready, with a broker on a free port. */
async function run(name: string, text = ''): Promise<Ready> {
  const config = configure(name, `broker:\n  listen: 127.0.0.1:0\n${text}`)
  const child = start(['run', '--config', config])
  running.add(child)
  const heard: string[] = []
  for await (const line of linesFrom(child)) {
    heard.push(line)
    const { msg, broker } = JSON.parse(line) as { msg: string; broker: string[] }
    if (msg !== 'ready') continue
    child.stdout.resume()
    return { child, port: new URL(broker[0] ?? '').port, config }
  }
  throw new Error(`the gateway ended before it was ready: ${heard.join('\n')}`)
}

function publish(port: string, topic: string, payload: string): Promise<unknown> {
  return promisify(execFile)('mosquitto_pub', ['-p', port, '-q', '1', '-t', topic, '-m', payload])
}

test('a reading that a device published is there for query, tail and status once it is acknowledged [I1]', async () => {
  const { child, port, config } = await run('day')
  const at = ['--config', config]
  const tail = start(['tail', 'readings', '--from', 'beginning', '--json', ...at])
  running.add(tail)
  await publish(port, 'sensors/freezer-1/temperature', '-18.5')

  const { out } = await holdfast(['query', 'readings', '--json', ...at])
  const { device, metric, value } = JSON.parse(out) as Record<string, unknown>
  assert.deepEqual([device, metric, value], ['freezer-1', 'temperature', -18.5])
  for await (const line of linesFrom(tail)) {
    assert.equal((JSON.parse(line) as { value: unknown }).value, -18.5)
    break
  }
  const status = JSON.parse((await holdfast(['status', '--json', ...at])).out) as {
    store: { state: string; readings: number }
    ingest: { readings: number }
  }
  assert.deepEqual([status.store.state, status.store.readings, status.ingest.readings], ['open', 1, 1])
  assert.match((await holdfast(['status', ...at])).out, /^store +open, 1 reading stored/m)

  assert.equal((await holdfast(['put', 'thresholds', 'freezer-1', '8', ...at])).code, 0)
  assert.match((await holdfast(['query', 'thresholds', ...at])).out, /freezer-1 .* 8\n/)

  const end = ended(child)
  child.kill('SIGTERM')
  const { code, err } = await end
  assert.deepEqual([code, err], [0, ''])
  assert.equal(existsSync(join(folder, 'day', 'holdfast.sock')), false)
  assert.match((await holdfast(['status', ...at])).err, /^holdfast: no gateway answers on /)
})

test('what was put is there after a kill -9 and a new start, and the stale socket is taken over', async () => {
  const first = await run('killed')
  await holdfast(['put', 'thresholds', 'a', '1', '--config', first.config])
  const end = ended(first.child)
  first.child.kill('SIGKILL')
  await end
  assert.equal(existsSync(join(folder, 'killed', 'holdfast.sock')), true)
  const second = await run('killed')
  assert.match((await holdfast(['query', 'thresholds', '--config', second.config])).out, /\na .* 1\n/)
})

test('a signal that comes while the gateway opens ends it in peace too', async () => {
  const config = configure('early', 'broker:\n  listen: 127.0.0.1:0\n')
  const child = start(['run', '--config', config])
  running.add(child)
  const end = ended(child)
  while (!existsSync(join(folder, 'early')) && child.exitCode === null) {
    await new Promise(resolve => setTimeout(resolve, 2))
  }
  child.kill('SIGINT')
  const { code, err } = await end
  assert.deepEqual([code, err], [0, ''])
})

test('a port in use, a folder that cannot be written and a store in use are one sentence each', async () => {
  const other = createServer()
  await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as { port: number }
  const taken = configure('taken', `broker:\n  listen: 127.0.0.1:${port}\n`)
  await fails(taken, new RegExp(`^holdfast: .*127\\.0\\.0\\.1:${port}.*another program.*\\. .*Stop that program`))
  await new Promise(resolve => other.close(resolve))

  // Root may write anywhere; below a regular file nobody can.
  writeFileSync(join(folder, 'file'), '')
  const below = join(folder, 'below.yaml')
  writeFileSync(below, 'store:\n  path: ./file/data\nbroker:\n  listen: 127.0.0.1:0\n')
  await fails(below, /^holdfast: .*file\/data.*\. .*set store\.path to another folder\.$/)

  const { config } = await run('owned')
  await fails(config, /^holdfast: the store at .*owned is in use by another Holdfast\. Stop the other one/)
})

async function fails(config: string, sentence: RegExp): Promise<void> {
  const { code, err } = await holdfast(['run', '--config', config])
  assert.equal(code, 1)
  assert.match(err.trimEnd(), sentence)
  assert.equal(err.trimEnd().split('\n').length, 1, err)
}

test('a configuration with problems starts nothing and tells them all', async () => {
  const config = configure('wrong', 'broker:\n  listn: 1883\nlog:\n  level: loud\n')
  const { code, out, err } = await holdfast(['run', '--config', config])
  assert.deepEqual([code, out], [1, ''])
  assert.match(err, /^holdfast: the configuration has 2 problems:\n.*"listn".*\n.*level.*\nCorrect it/)
  assert.equal(existsSync(join(folder, 'wrong')), false)
})
