import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import { describe, it } from 'node:test'
import { Traffic } from '../../runtime/replication/lanes/traffic.ts'

const frame = (text: string): Buffer => Buffer.from(text.repeat(100))

/** A conversation whose far side answered its greeting after 20 ms, with a clock that is told the time. */
function begun(): { traffic: Traffic; at: (ms: number) => void } {
  let nowMs = 0
  const traffic = new Traffic(undefined, () => nowMs)
  const at = (ms: number): void => void (nowMs = ms)
  at(20)
  traffic.answered()
  return { traffic, at }
}

describe('the road of a conversation whose transport tells nothing', () => {
  it('has room again when the far side has heard the frame, before it is committed', () => {
    const { traffic, at } = begun()
    const [one, two] = [frame('one'), frame('two')]
    traffic.sent('readings', one)
    assert.equal(traffic.hasRoom, false)
    at(1_020)
    traffic.heard('readings', crc32(two))
    traffic.heard('thresholds', crc32(one))
    assert.equal(traffic.hasRoom, false, 'neither was that frame')
    traffic.heard('readings', crc32(one))
    assert.equal(traffic.hasRoom, true)
    traffic.sent('readings', two)
    assert.equal(traffic.hasRoom, false, 'it took too long for a second one beside it')
  })

  it('opens up while frames come at once, and lets go of those that were lost before them', () => {
    const { traffic, at } = begun()
    const [one, two, three] = [frame('one'), frame('two'), frame('three')]
    traffic.sent('readings', one)
    at(60)
    traffic.heard('readings', crc32(one))
    traffic.sent('readings', two)
    assert.equal(traffic.hasRoom, true)
    traffic.sent('readings', three)
    traffic.heard('readings', crc32(three))
    traffic.waitingFor('readings', 0)
    for (let sent = 0; traffic.hasRoom && sent < 10; sent++) traffic.sent('readings', frame('more'))
    assert.equal(traffic.hasRoom, false, 'two more, and nothing that is lost counts twice')
  })

  it('follows the position of a far side that tells nothing else, whose disk says nothing of the size of a frame', () => {
    const { traffic, at } = begun()
    const [one, two] = [frame('one'), frame('two')]
    traffic.sent('readings', one)
    traffic.waitingFor('readings', one.length)
    assert.equal(traffic.hasRoom, false)
    at(9_000)
    traffic.waitingFor('readings', 0)
    assert.equal(traffic.hasRoom, true)
    assert.equal(traffic.frameBytesMax, Number.POSITIVE_INFINITY)
    traffic.sent('readings', two)
    assert.equal(traffic.hasRoom, false)
    traffic.clear()
    assert.equal(traffic.hasRoom, true)
  })
})
