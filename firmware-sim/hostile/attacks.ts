/** The attacks there are. One more is one file and one line here. */
import type { Attack } from './attack.ts'
import { giantPackets } from './giant-packets.ts'
import { halfPackets } from './half-packets.ts'
import { slowConnects } from './slow-connects.ts'

export const attacks: readonly Attack[] = [slowConnects, halfPackets, giantPackets]
