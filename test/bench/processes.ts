/** Programs under measurement: started, waited for, measured from /proc, and ended by their id. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'

export type Program = {
  readonly pid: number
  /** Resolves with the first line of output for which `test` holds. */
  line(test: (line: string) => boolean): Promise<string>
  stop(): Promise<void>
}

export function start(command: string, args: readonly string[]): Program {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  const waiting: { test: (line: string) => boolean; resolve: (line: string) => void }[] = []
  createInterface({ input: child.stdout }).on('line', line => {
    lines.push(line)
    for (const waiter of waiting.splice(0)) {
      if (waiter.test(line)) waiter.resolve(line)
      else waiting.push(waiter)
    }
  })
  return {
    pid: child.pid as number,
    line: test => {
      const seen = lines.find(test)
      if (seen !== undefined) return Promise.resolve(seen)
      return new Promise((resolve, reject) => {
        waiting.push({ test, resolve })
        child.once('exit', code =>
          reject(new Error(`${command} ${args[0] ?? ''} ended with ${code} before it said what was awaited`)),
        )
      })
    },
    stop: () => stop(child),
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

/** CPU seconds that a process has used, all threads, and its memory now and at its most. */
export function usage(pid: number): { readonly cpuSeconds: number; readonly rssMb: number; readonly peakMb: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[11]) + Number(fields[12])
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const mb = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) / 1024
  return { cpuSeconds: ticks / 100, rssMb: mb('VmRSS'), peakMb: mb('VmHWM') }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** For `broker: {…}`: what is measured is what a board can do, not what one client may. */
export const unhurried =
  'limits: { publish_rate: 10000000, publish_burst: 10000000, publish_rate_bytes: 10GB, publish_burst_bytes: 10GB }'

/** Tries until something listens. */
export async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const socket = connect(port, '127.0.0.1')
    const isOpen = await new Promise<boolean>(resolve => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    socket.destroy()
    if (isOpen) return
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  throw new Error(`nothing listens on port ${port}`)
}
