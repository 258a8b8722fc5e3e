/** MQTT 5 and the commit: nothing is acknowledged, with whatever reason, before it is durable, or if it never is [I1]. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { parser } from 'mqtt-packet'
import { openRig, until } from './rig.ts'

/** CONNECT of client `a`, which starts clean. */
const connectBytes = Buffer.from('100e00044d5154540502000000000161', 'hex')

/** Of `sensors/a`: a retained one goes by aedes. */
const publishes = {
  'QoS 1, the fast way': '320f000973656e736f72732f6100010078',
  'QoS 1, by aedes': '330f000973656e736f72732f6100010078',
  'QoS 2': '340f000973656e736f72732f6100010078',
}

async function held(t: TestContext, publish: string) {
  const { intake, port } = await openRig(t, {}, undefined, { mqtt5: true })
  intake.held = true
  const socket = connect(port, '127.0.0.1')
  t.after(() => socket.destroy())
  const got: string[] = []
  let closed = false
  const packets = parser({ protocolVersion: 5 })
  packets.on('packet', packet => got.push(`${packet.cmd} ${'reasonCode' in packet ? packet.reasonCode : ''}`))
  socket.on('data', chunk => packets.parse(chunk))
  socket.on('close', () => {
    closed = true
  })
  socket.write(connectBytes)
  await until(() => got.length === 1)
  socket.write(Buffer.from(publish, 'hex'))
  await until(() => intake.accepted.length === 1)
  socket.write(Buffer.from('c000', 'hex'))
  await until(() => got.length === 2)
  assert.deepEqual(got.splice(0), ['connack 0', 'pingresp '], 'nothing before the commit')
  return { intake, got, isClosed: () => closed }
}

for (const [what, publish] of Object.entries(publishes)) {
  test(`MQTT 5, ${what}: acknowledged once it is durable`, { timeout: 20_000 }, async t => {
    const { intake, got } = await held(t, publish)
    intake.release()
    await until(() => got.length === 1)
    assert.match(got[0] ?? '', /^pub(ack|rec) 0?$/)
  })

  test(`MQTT 5, ${what}: what could not be stored is not acknowledged, with no reason; the client hears that and comes again`, {
    timeout: 20_000,
  }, async t => {
    const { intake, got, isClosed } = await held(t, publish)
    intake.release(new Error('the disk'))
    await until(isClosed)
    assert.deepEqual(got, ['disconnect 131'])
  })
}
