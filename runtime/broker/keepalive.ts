/**
 * How long a client may be silent. MQTT 3.1.1 has no word to tell a client that its keepalive is too long, and a client
 * that asks for 0 wants none; but a server may close any client that it finds inactive, whatever that asked for
 * (3.1.2.10). So 0, and what is beyond the longest, count as the longest: closed after one and a half of it in silence.
 */
import type { BrokerLimits } from './limits.ts'
import type { Tally } from './tally.ts'

type Limits = Pick<BrokerLimits, 'keepaliveMsMax'>

/** Of a CONNECT that is about to be judged: the keepalive that stands in it is what is counted. */
export function shortenKeepalive(
  packet: { keepalive?: number },
  { keepaliveMsMax }: Limits,
  tally: Tally,
  address: string | undefined,
): void {
  const asked = packet.keepalive ?? 0
  const held = heldKeepalive(asked, keepaliveMsMax)
  if (held === asked) return
  packet.keepalive = held
  tally.note('keepalive_shortened', 'A client asked for a keepalive beyond the longest: it is held to that', {
    address,
    asked,
    held,
  })
}

/** In seconds, as in a CONNECT. */
function heldKeepalive(asked: number, msMax: number): number {
  const longest = Math.max(1, Math.floor(msMax / 1_000))
  return asked === 0 || asked > longest ? longest : asked
}
