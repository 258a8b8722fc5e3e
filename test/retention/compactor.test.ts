/** When empty space is given back: by the schedule whatever clocks do, and only if it is worth it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLog } from '../../runtime/log.ts'
import { Compactor, isWorth } from '../../runtime/retention/compactor.ts'
import { compileInstants } from '../../runtime/schedule.ts'
import type { Upkeep } from '../../runtime/store/upkeep.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const noon = Date.UTC(2026, 10, 1, 12)

function rig(open: string | undefined) {
  const compiled = open === undefined ? undefined : compileInstants(open, 'UTC')
  const state = { nowMs: noon as number | undefined, emptyBytes: 100e6, folderBytes: 500e6, runs: 0 }
  const stretch = () => ({ gte: Buffer.of(1), lt: Buffer.of(2), bytes: state.emptyBytes })
  const upkeep = {
    emptyStretches: () => Promise.resolve(state.emptyBytes === 0 ? [] : [stretch()]),
    compact: () => {
      state.runs++
      state.folderBytes -= state.emptyBytes
      return Promise.resolve()
    },
  } as unknown as Upkeep
  const compactor = new Compactor({
    store: { upkeep },
    folderBytes: () => Promise.resolve(state.folderBytes),
    instants: compiled?.ok ? compiled.instants : undefined,
    trustedMs: () => state.nowMs,
    monotonicMs: () => 0,
    isClosed: () => false,
    log: silentLog,
  })
  const lookAt = async (nowMs: number | undefined): Promise<number> => {
    state.nowMs = nowMs
    await compactor.look()
    return state.runs
  }
  return { compactor, state, lookAt }
}

test('a database is compacted once at each instant of the schedule, and measured', async () => {
  const { compactor, lookAt } = rig('30 3 * * *')
  assert.equal(await lookAt(noon), 0)
  assert.equal(await lookAt(noon + 15 * hourMs), 0)
  assert.equal(await lookAt(noon + 15.5 * hourMs), 1)
  assert.equal(await lookAt(noon + 15.5 * hourMs + 1_000), 1)
  assert.deepEqual(compactor.last, {
    why: 'schedule',
    atMs: noon + 15.5 * hourMs,
    bytesBefore: 500e6,
    bytesAfter: 400e6,
    durationMs: 0,
  })
})

test('a clock that jumps makes it due once at most, and one that is not to be trusted never', async () => {
  const { lookAt } = rig('30 3 * * *')
  await lookAt(noon)
  assert.equal(await lookAt(noon + 3_650 * dayMs), 1, 'years forward')
  assert.equal(await lookAt(noon), 1, 'and back')
  assert.equal(await lookAt(undefined), 1)
  assert.equal(await lookAt(noon + 1_000), 1)
  assert.equal(await lookAt(noon + dayMs), 2)
})

test('it is left alone while that is not worth it, or nobody wants it', async () => {
  const { state, lookAt } = rig('30 3 * * *')
  state.emptyBytes = 3e6
  await lookAt(noon)
  assert.equal(await lookAt(noon + dayMs), 0)
  const never = rig(undefined)
  await never.lookAt(noon)
  assert.equal(await never.lookAt(noon + dayMs), 0)
  assert.deepEqual(
    [isWorth(64e6, 100e9), isWorth(63e6, 100e9), isWorth(5e6, 10e6), isWorth(3e6, 4e6)],
    [true, false, true, false],
  )
})

test('when the disk is short everything empty is given back, and told by how much the files are smaller', async () => {
  const { compactor, state } = rig(undefined)
  state.emptyBytes = 2e6
  assert.equal(await compactor.tidy(), 2e6)
  state.emptyBytes = 0
  assert.equal(await compactor.tidy(), 0)
  assert.equal(compactor.last?.why, 'disk')
})
