/**
 * Every attack against a real broker with small limits: it is answered as it must be, and counted by its cause, while an
 * honest client goes on. The list of causes is what docs/hostile.md promises.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import type { Attack } from '../../firmware-sim/hostile/attack.ts'
import { attacks } from '../../firmware-sim/hostile/attacks.ts'
import { besiege, type Siege } from '../../firmware-sim/hostile/siege.ts'
import { type Access, anybody } from '../../runtime/broker/access.ts'
import type { BrokerLimits } from '../../runtime/broker/limits.ts'
import { openClient, openRig, publishPacket, until } from '../broker/rig.ts'

const timeout = 180_000
/** Fewer attackers who act more often: a test shall not have to wait for them. */
const [connections, perSecond] = [12, 1_000]

/** By what the broker shows that it has met the attack: a cause it counts, or an answer that the attackers count. */
type Expected = { readonly counter?: string; readonly answer?: string; readonly limits?: Partial<BrokerLimits> }

const expected: Readonly<Record<string, readonly Expected[]>> = {
  'slow-connects': [{ counter: 'refused_connect_timeout', limits: { connectTimeoutMs: 500 } }], // A14
  'silent-sockets': [
    { counter: 'refused_connect_timeout', limits: { connectTimeoutMs: 500 } }, // A14
    { counter: 'refused_connections_per_address', limits: { connectionsPerAddressMax: 8 } },
    { counter: 'refused_connections', limits: { connectionsMax: 8 } },
  ],
  'half-packets': [{ answer: 'connack 0' }],
  'giant-packets': [{ counter: 'refused_packet_bytes' }], // A2
  'odd-names': [
    { counter: 'refused_client_id' }, // A8
    { counter: 'refused_client_id_empty' }, // A9
    { counter: 'refused_packet_form' },
    { counter: 'refused_message_id' },
    { counter: 'refused_filter' },
    { counter: 'refused_not_connect' },
    { counter: 'refused_second_connect' },
    { counter: 'refused_packet_type' },
    { counter: 'refused_protocol_version' }, // A10
  ],
  mutants: [{ counter: 'refused_packet_length' }], // A11
  'failed-logins': [{ counter: 'refused_login' }],
  'identity-theft': [{ counter: 'refused_client_id_taken' }], // A5
  'forbidden-topics': [{ counter: 'refused_filter_system' }, { counter: 'refused_topic_system' }], // A3
  'topic-flood': [{ counter: 'refused_topic_levels' }, { answer: 'puback' }], // A6
  'device-flood': [{ answer: 'puback' }],
  'publish-flood': [{ answer: 'puback' }],
  'subscription-flood': [{ counter: 'refused_subscriptions' }],
  'retained-flood': [{ counter: 'retained_refused', limits: { retainedMessagesMax: 5 } }], // A4
  'offline-sessions': [
    { counter: 'refused_sessions', limits: { sessionsMax: 5 } }, // A4
    { counter: 'queue_dropped_bytes', limits: { queuedBytesMax: 4_096 } },
  ],
  'unfinished-qos2': [{ answer: 'pubrec' }], // A6, A13
  'slow-readers': [{ counter: 'refused_slow_reader', limits: { drainTimeoutMs: 100 } }], // A7
  'mute-subscribers': [{ answer: 'publish' }], // A4
  'will-storm': [{ counter: 'unrouted' }], // A12
  'takeover-storm': [{ answer: 'connack 0' }], // A5
  'reconnect-storm': [{ answer: 'connack 0' }],
}

test('every attack has a test, and its row in docs/hostile.md', () => {
  assert.deepEqual(Object.keys(expected).toSorted(), attacks.map(({ name }) => name).toSorted())
  const page = readFileSync('docs/hostile.md', 'utf8')
  for (const { name, connections, perSecond } of attacks) {
    assert.ok(page.includes(`| \`${name}\` | ${connections} | ${perSecond} |`), name)
  }
})

for (const attack of attacks) {
  const ways = expected[attack.name] ?? []
  const limits = Object.assign({}, ...ways.map(way => way.limits ?? {})) as Partial<BrokerLimits>
  // Limits of one way may stand in the way of another, so those that set any are tried alone.
  const alone = ways.length > 1 && Object.keys(limits).length > 0 ? ways.map(way => [way]) : [ways]
  for (const together of alone) {
    const shows = together.map(({ counter, answer }) => counter ?? answer).join(', ')
    test(`${attack.name} is met with ${shows}, and an honest client goes on`, { timeout }, async t => {
      await meets(t, attack, together)
    })
  }
}

/** Two users: the honest client, which needs no name here, and one whom somebody else gave his password. */
const known: Readonly<Record<string, string>> = { honest: 'right', insider: 'stolen' }
const access: Access = {
  authenticate: ({ user = 'honest', password }) =>
    password === undefined || known[user] === String(password) ? { ...anybody, user } : 'denied',
  standIn: user => ({ ...anybody, user }),
}

async function meets(t: TestContext, attack: Attack, ways: readonly Expected[]): Promise<void> {
  const limits = Object.assign({}, ...ways.map(way => way.limits ?? {})) as Partial<BrokerLimits>
  const { broker, intake, port } = await openRig(t, { connectTimeoutMs: 2_000, ...limits }, access)
  const honest = await openClient(t, port, { clientId: 'honest' })
  const siege = besiege([{ ...attack, connections, perSecond }], {
    target: { host: '127.0.0.1', port, user: 'insider', password: 'stolen' },
    from: ['127.0.1.1'],
    victims: ['honest'],
    seed: 1,
    now: () => performance.now(),
  })
  t.after(() => siege.stop())
  const missing = () => ways.filter(way => !isMet(way, broker.counters(), siege))
  t.signal.addEventListener('abort', () => {
    if (missing().length > 0) t.diagnostic(JSON.stringify([missing(), broker.counters(), siege.counts()]))
  })
  await until(() => missing().length === 0 || t.signal.aborted)
  honest.send(publishPacket('sensors/honest/t', 'honest', 1, 1))
  await honest.next('puback')
  assert.ok(intake.payloads.includes('honest'))
  assert.equal(broker.counters()['broker_error'], undefined)
  const [counts] = siege.counts()
  assert.ok((counts?.open ?? 0) <= connections)
  siege.stop()
  await until(() => broker.counters()['connections'] === 1)
}

function isMet({ counter, answer }: Expected, counters: Readonly<Record<string, number>>, siege: Siege): boolean {
  if (counter !== undefined) return (counters[counter] ?? 0) > 0
  return (siege.counts()[0]?.answers[answer ?? ''] ?? 0) > 0
}
