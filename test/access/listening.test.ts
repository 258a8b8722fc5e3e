import assert from 'node:assert/strict'
import { test } from 'node:test'
import { placesToListen } from '../../runtime/access/listening.ts'

const usual = { host: '127.0.0.1', port: 1883 }
const place = (host: string, port = 1883) => ({ host, port })

test('left out, the broker listens on this machine, and on every network once there are users', () => {
  const places = (isFirstRun: boolean, hasUsers: boolean) =>
    placesToListen(undefined, usual, { isFirstRun, hasUsers }).map(({ host }) => host)
  assert.deepEqual(
    [places(true, false), places(false, true), places(false, false)],
    [['127.0.0.1'], ['0.0.0.0'], ['127.0.0.1']],
  )
})

test('whatever is written, the first run is for this machine alone', () => {
  const wanted = [
    place('0.0.0.0'),
    place('192.168.1.7'),
    place('::'),
    place('box.local', 8883),
    place('127.0.0.2'),
    place('localhost'),
  ]
  const first = placesToListen(wanted, usual, { isFirstRun: true, hasUsers: false })
  assert.deepEqual(first, [
    place('127.0.0.1'),
    place('::1'),
    place('127.0.0.1', 8883),
    place('127.0.0.2'),
    place('localhost'),
  ])
  assert.equal(placesToListen(wanted, usual, { isFirstRun: false, hasUsers: true }), wanted)
  const free = [place('0.0.0.0', 0), place('0.0.0.0', 0)]
  assert.equal(placesToListen(free, usual, { isFirstRun: true, hasUsers: false }).length, 2)
})
