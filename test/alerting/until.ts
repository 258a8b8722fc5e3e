/** Waiting for what comes by itself, for at most some seconds. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'

export async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (await check()) return
    await sleep(10)
  }
  assert.fail('what was waited for did not come')
}
