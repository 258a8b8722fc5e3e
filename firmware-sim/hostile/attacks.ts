/** The attacks there are. One more is one file and one line here. */
import type { Attack } from './attack.ts'
import { deviceFlood } from './device-flood.ts'
import { failedLogins } from './failed-logins.ts'
import { forbiddenTopics } from './forbidden-topics.ts'
import { giantPackets } from './giant-packets.ts'
import { halfPackets } from './half-packets.ts'
import { identityTheft } from './identity-theft.ts'
import { mutants } from './mutants.ts'
import { muteSubscribers } from './mute-subscribers.ts'
import { odd } from './odd-names.ts'
import { offlineSessions } from './offline-sessions.ts'
import { publishFlood } from './publish-flood.ts'
import { reconnectStorm } from './reconnect-storm.ts'
import { retainedFlood } from './retained-flood.ts'
import { silentSockets } from './silent-sockets.ts'
import { slowConnects } from './slow-connects.ts'
import { slowReaders } from './slow-readers.ts'
import { subscriptionFlood } from './subscription-flood.ts'
import { takeoverStorm } from './takeover-storm.ts'
import { topicFlood } from './topic-flood.ts'
import { unfinishedQos2 } from './unfinished-qos2.ts'
import { willStorm } from './will-storm.ts'

export const attacks: readonly Attack[] = [
  slowConnects,
  silentSockets,
  halfPackets,
  giantPackets,
  odd,
  mutants,
  failedLogins,
  identityTheft,
  forbiddenTopics,
  topicFlood,
  deviceFlood,
  publishFlood,
  subscriptionFlood,
  retainedFlood,
  offlineSessions,
  unfinishedQos2,
  slowReaders,
  muteSubscribers,
  willStorm,
  takeoverStorm,
  reconnectStorm,
]
