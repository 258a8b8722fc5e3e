/** Debian's Python with its paho client. */
import { spawnSync } from 'node:child_process'

/** Not whichever python3 comes first in the path: the packages of Debian belong to Debian's. */
export const python = '/usr/bin/python3'

/** A reason to skip, or false. In CI a missing package is a failure instead. */
export function missingPaho(): string | false {
  if (spawnSync(python, ['-c', 'import paho.mqtt.client']).status === 0) return false
  const reason = 'paho is missing: install the Debian package python3-paho-mqtt'
  if (process.env['CI'] === 'true') throw new Error(reason)
  return reason
}
