/** Where attackers go: they write their own packets on plain TCP, so only a plain `mqtt://` URL will do. */
import { FleetError } from '../fleet.ts'
import type { Plan } from '../plan.ts'
import type { SiegeOptions } from './siege.ts'

const portDefault = 1_883

export function targetOf(plan: Plan, url: string): SiegeOptions['target'] {
  const { protocol, hostname, port, username, password } = URL.canParse(url) ? new URL(url) : new URL('none://none')
  if (plan.hostile.length > 0 && protocol !== 'mqtt:' && protocol !== 'tcp:') {
    throw new FleetError(`attacks need a plain URL such as mqtt://127.0.0.1:1883, not "${url}"`)
  }
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? portDefault : Number(port),
    user: username === '' ? undefined : decodeURIComponent(username),
    password: password === '' ? undefined : decodeURIComponent(password),
  }
}
