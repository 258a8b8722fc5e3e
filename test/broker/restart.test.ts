import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acknowledge, openKept, publish, subscribe } from './kept-rig.ts'
import { until } from './rig.ts'

const timeout = 60_000

test('25 messages over 5 restarts all reach a session that was away, in order, though the clock was back in 1970', {
  timeout,
}, async t => {
  const rig = await openKept(t)
  await rig.away('sleeper', 'sensors/#', 'plain/#')
  const sent: string[] = []
  for (let round = 0; round < 5; round++) {
    const publisher = await rig.client({ clientId: 'publisher' })
    for (let i = 0; i < 5; i++) {
      const payload = `${round}.${i}`
      await publish(publisher, i % 2 === 0 ? 'sensors/a/t' : 'plain/x', payload)
      sent.push(payload)
    }
    if (round % 2 === 0) await rig.cut()
    else await rig.stop()
    rig.clock.nowMs = round % 2 === 0 ? 60_000 : 1_700_000_000_000 + round
    await rig.start()
  }
  const sleeper = await rig.client({ clientId: 'sleeper', clean: false })
  assert.equal(sleeper.received[0]?.cmd === 'connack' && sleeper.received[0].sessionPresent, true)
  await until(() => sleeper.count('publish') === 25)
  await sleeper.ping()
  assert.deepEqual(sleeper.payloads(), sent)
  acknowledge(sleeper, sleeper.received)
  await until(() => rig.broker.counters()['queued_messages'] === 0)
  await rig.stop()
  await rig.start()
  assert.deepEqual(
    (await rig.keys()).filter(key => key.startsWith('m') || key.startsWith('d')),
    [],
  )
})

test('what was sent to a session and not acknowledged is sent again after a restart, in order and marked', {
  timeout,
}, async t => {
  const rig = await openKept(t)
  const before = await rig.client({ clientId: 'awake', clean: false })
  await subscribe(before, 1, '#')
  const publisher = await rig.client({ clientId: 'publisher' })
  await publish(publisher, 'sensors/a/t', '1', '2', '3', '4')
  await until(() => before.count('publish') === 4)
  const got = before.received.filter(packet => packet.cmd === 'publish')
  assert.deepEqual(
    got.map(packet => packet.cmd === 'publish' && packet.dup),
    [false, false, false, false],
  )
  acknowledge(before, got.slice(0, 1))
  await until(() => rig.broker.counters()['queued_messages'] === 3)
  await rig.stop()
  await rig.start()
  const after = await rig.client({ clientId: 'awake', clean: false })
  await until(() => after.count('publish') === 3)
  assert.deepEqual(after.payloads(), ['2', '3', '4'])
  assert.ok(after.received.every(packet => packet.cmd !== 'publish' || packet.dup))
})
