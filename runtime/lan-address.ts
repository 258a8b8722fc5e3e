/**
 * Which addresses are of the LAN: private, link-local, unique local, loopback. All else is the world, and no HTTP goes
 * there. Pure.
 */
import { BlockList, isIP } from 'node:net'

const lan = new BlockList()
for (const [net, prefix] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
  ['127.0.0.0', 8],
] as const) {
  lan.addSubnet(net, prefix, 'ipv4')
}
lan.addSubnet('fc00::', 7, 'ipv6')
lan.addSubnet('fe80::', 10, 'ipv6')
lan.addAddress('::1', 'ipv6')

/** `address` as a resolver or a socket says it; what is no address is not of the LAN. */
export function isOfLan(address: string): boolean {
  const bare = address.replace(/%.*$/, '')
  const family = isIP(bare)
  // An IPv4 address in IPv6 clothes (::ffff:8.8.8.8) is judged as what it is: BlockList does so.
  return family !== 0 && lan.check(bare, family === 4 ? 'ipv4' : 'ipv6')
}
