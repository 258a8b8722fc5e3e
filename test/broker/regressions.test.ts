import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openClient, openRig, publishPacket, until } from './rig.ts'

const timeout = 60_000

for (const clean of [true, false]) {
  const session = clean ? 'clean' : 'persistent'
  test(`a QoS 2 reading of a clean session is stored though a ${session} one before it used its packet id`, {
    timeout,
  }, async t => {
    const { intake, port } = await openRig(t)
    intake.held = true
    const before = await openClient(t, port, { clean })
    before.send(publishPacket('sensors/a/t', 'old', 2, 1))
    await until(() => intake.accepted.length === 1)
    const client = await openClient(t, port) // a restart of the device: the same id, and packet ids from 1 again
    await until(() => before.closed)
    intake.release()
    await client.ping()
    intake.held = false
    client.send(publishPacket('sensors/a/t', 'new', 2, 1))
    await client.next('pubrec')
    assert.deepEqual(intake.payloads, ['old', 'new'])
  })
}

test('QoS 2 readings that become durable after their connections closed leave no sessions behind [I6]', {
  timeout,
}, async t => {
  const { broker, intake, port } = await openRig(t, { sessionsMax: 4 })
  intake.held = true
  for (const [index, clean] of [true, true, true, false, false, false, false, false, false].entries()) {
    const client = await openClient(t, port, { clientId: `passing-${index}`, clean })
    client.send(publishPacket('sensors/a/t', '1', 2, 1))
    await until(() => intake.accepted.length === index + 1)
    client.socket.resetAndDestroy()
    await until(() => broker.connected().length === 0)
  }
  intake.release()
  await new Promise(resolve => setTimeout(resolve, 20))
  assert.ok((broker.counters()['sessions'] ?? 0) <= 4, `${broker.counters()['sessions']} sessions are kept`)
})

test('the same PUBREL many times at once is answered, and throws nothing past the broker', { timeout }, async t => {
  const { intake, port } = await openRig(t)
  const thrown: unknown[] = []
  const hear = (error: unknown): void => void thrown.push(error)
  process.on('unhandledRejection', hear)
  t.after(() => process.off('unhandledRejection', hear))
  const client = await openClient(t, port, { clean: false })
  for (let messageId = 1; messageId <= 20; messageId++) {
    client.send(publishPacket('sensors/a/t', '1', 2, messageId))
    await until(() => client.messageIds('pubrec').includes(messageId))
    const released = { cmd: 'pubrel', messageId } as const
    client.send(released, released, released)
    await until(() => client.messageIds('pubcomp').filter(id => id === messageId).length === 3)
  }
  await new Promise(resolve => setTimeout(resolve, 20))
  assert.deepEqual(thrown, [])
  assert.equal(intake.payloads.length, 20)
})
