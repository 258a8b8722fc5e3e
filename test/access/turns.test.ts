import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Turns } from '../../runtime/access/turns.ts'

const here = (): boolean => false
const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('only so much is done at once, and each address has its turn', async () => {
  const turns = new Turns({ atOnce: 1, waitingMax: 100 })
  const begun: string[] = []
  const end: (() => void)[] = []
  const work = (name: string) => () => {
    begun.push(name)
    return new Promise<string>(resolve => end.push(() => resolve(name)))
  }
  const all = ['flood-1', 'flood-2', 'flood-3', 'honest-1'].map(name =>
    turns.take(name.split('-')[0] ?? '', here, work(name)),
  )
  for (let done = 0; done < 4; done++) {
    await settled()
    assert.equal(begun.length, done + 1)
    end[done]?.()
  }
  assert.deepEqual(begun, ['flood-1', 'flood-2', 'honest-1', 'flood-3'])
  assert.deepEqual(await Promise.all(all), ['flood-1', 'flood-2', 'flood-3', 'honest-1'])
})

test('what nobody waits for any more is not begun, and makes room', async () => {
  const turns = new Turns({ atOnce: 1, waitingMax: 2 })
  let finish: () => void = () => undefined
  const first = turns.take('a', here, () => new Promise<number>(resolve => (finish = () => resolve(1))))
  let isGone = false
  const second = turns.take(
    'b',
    () => isGone,
    () => Promise.resolve(2),
  )
  const third = turns.take('c', here, () => Promise.resolve(3))
  assert.equal(await turns.take('d', here, () => Promise.resolve(4)), 'full')
  isGone = true
  const fifth = turns.take('d', here, () => Promise.resolve(5))
  finish()
  assert.deepEqual(await Promise.all([first, second, third, fifth]), [1, 'gone', 3, 5])
})

test('work that fails is told to whoever asked, and the next begins', async () => {
  const turns = new Turns({ atOnce: 1, waitingMax: 2 })
  const first = turns.take('a', here, () => Promise.reject(new Error('broken')))
  const second = turns.take('a', here, () => Promise.resolve(2))
  await assert.rejects(first, /broken/)
  assert.equal(await second, 2)
})
