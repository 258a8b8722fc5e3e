/** Debian's python3-pymodbus as a Modbus device on loopback, with registers of the test's own. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** Debian's own: another python of the machine does not have its packages. */
const python = '/usr/bin/python3'

export type ModbusRegisters = {
  readonly unit?: number
  readonly holding?: Readonly<Record<string, readonly number[]>>
  readonly input?: Readonly<Record<string, readonly number[]>>
  readonly coil?: Readonly<Record<string, readonly number[]>>
  readonly discrete?: Readonly<Record<string, readonly number[]>>
}

/** A reason to skip, or false. In CI a missing package is a failure instead. */
export function modbusMissing(): string | false {
  const found = spawnSync(python, ['-c', 'import pymodbus.server.async_io'])
  if (found.status === 0) return false
  const packages = 'python3-pymodbus and python3-serial-asyncio'
  if (process.env['CI'] === 'true') throw new Error(`pymodbus is missing: install ${packages}`)
  return `pymodbus is missing: install the Debian packages ${packages}`
}

export async function openModbus(registers: ModbusRegisters) {
  const script = join('test', 'rigs', 'modbus-server.py')
  const child = spawn(python, [script, JSON.stringify(registers)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface(child.stdout)
  const [line] = (await once(lines, 'line')) as [string]
  return {
    port: Number(line),
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'close')
      child.kill('SIGKILL')
      await ended
    },
  }
}
