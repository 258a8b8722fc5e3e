/** The demo is the main job: it must come to its end by itself, with counts that agree. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../../runtime/main.js', import.meta.url))

function demo(...args: string[]) {
  // A process group of its own, so that Ctrl-C can be sent as a terminal sends it.
  const child = spawn(process.execPath, [program, 'demo', ...args], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const told = { out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (told.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (told.err += chunk.toString()))
  return { child, told, ended: once(child, 'close') as Promise<[number | null, string | null]> }
}

test('the demo ends with both ends agreeing, and an alert that was raised while the link was cut', {
  timeout: 180_000,
}, async () => {
  const { told, ended } = demo('--json')
  const [code] = await ended
  assert.equal(code, 0, told.err)
  const outcome = JSON.parse(told.out) as Record<string, number | boolean>
  assert.equal(outcome['agrees'], true)
  assert.equal(outcome['fired_while_cut'], true)
  assert.equal(outcome['stored_at_hub'], outcome['acknowledged'])
  assert.equal(outcome['snippet_seconds'], 60)
  assert.ok((outcome['acknowledged'] as number) > 300)
})

/** Before its first word a program is not there yet: a signal ends it as it ends any. */
for (const [moment, ms] of [
  ['while it starts', 0],
  ['in the middle', 5_000],
] as const) {
  test(`Ctrl-C ${moment} ends the demo with a sentence and no stack`, { timeout: 60_000 }, async () => {
    const { child, told, ended } = demo()
    await once(child.stdout, 'data')
    await sleep(ms)
    process.kill(-(child.pid as number), 'SIGINT')
    const [code] = await ended
    assert.equal(code, 1, told.err)
    assert.match(told.err, /^holdfast: the demo was interrupted\.\n$/)
    assert.doesNotMatch(told.out + told.err, /\n +at /)
  })
}
