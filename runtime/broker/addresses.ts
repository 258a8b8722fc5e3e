/**
 * Which addresses count as one. Pure.
 *
 * A host has a whole IPv6 network of 64 bits for itself, and may come from another address of it each time: it counts by
 * its network. Among neighbours, where the network is that of the address that they called (or the link's own), it is all
 * of the house that shares it: there each address counts for itself, as with IPv4, or one neighbour could use up what all
 * of them may, and lock them out with wrong passwords.
 */
import { isIPv6 } from 'node:net'

const networkGroups = 4

/** `called` is the address of ours that it came to. */
export function addressKey(remote: string, called: string | undefined): string {
  const address = plain(remote)
  if (!isIPv6(address)) return address
  const network = networkOf(address)
  const isNeighbour = network.startsWith('fe8') || (called !== undefined && network === networkOf(plain(called)))
  return isNeighbour ? address : `${network}::/64`
}

/** Without its zone; an IPv4 address in IPv6 form as what it is. */
function plain(address: string): string {
  const text = (address.split('%')[0] ?? '').toLowerCase()
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  return mapped?.[1] ?? text
}

function networkOf(address: string): string {
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const behind = tail === undefined || tail === '' ? [] : tail.split(':')
  // A dotted end stands for two groups.
  const length = groups.length + behind.length + (address.includes('.') ? 1 : 0)
  const zeros = tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - length) }, () => '0')
  return [...groups, ...zeros, ...behind]
    .slice(0, networkGroups)
    .map(group => group.replace(/^0+(?=.)/, ''))
    .join(':')
}
