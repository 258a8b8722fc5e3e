/**
 * Brokers that we did not write, as far sides of a link: Debian's mosquitto and nats-server, each with a configuration of
 * the test's own, in a folder of its own, on a port of loopback.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type Daemon = {
  readonly port: number
  readonly folder: string
  /** All that it has written so far. */
  readonly said: () => string
  /** SIGHUP: mosquitto reads its access rules and certificates again. */
  readonly reload: () => void
  readonly stop: () => Promise<void>
}

/** A reason to skip, or false. In CI a missing package is a failure instead. */
export function missing(program: string, debianPackage: string): string | false {
  if (spawnSync(program, ['-h']).error === undefined) return false
  if (process.env['CI'] === 'true') throw new Error(`${program} is missing: install ${debianPackage}`)
  return `${program} is missing: install the Debian package ${debianPackage}`
}

/** `more` are lines of mosquitto.conf behind the listener's; `files` are written beside it, named by `{folder}`. */
export async function openMosquitto(
  more: readonly string[] = ['allow_anonymous true'],
  files: Readonly<Record<string, string>> = {},
): Promise<Daemon> {
  return openDaemon('mosquitto', files, (folder, port) => {
    const lines = [`listener ${port} 127.0.0.1`, 'persistence false', 'log_dest stderr', ...more]
    writeFileSync(join(folder, 'mosquitto.conf'), `${lines.join('\n').replaceAll('{folder}', folder)}\n`)
    return ['-c', join(folder, 'mosquitto.conf')]
  })
}

export async function openNats(): Promise<Daemon> {
  return openDaemon('nats-server', {}, (folder, port) => {
    const jetstream = `jetstream { store_dir: "${join(folder, 'js')}" }`
    const text = `server_name: rig\nhost: 127.0.0.1\nport: -1\n${jetstream}\nmqtt { host: 127.0.0.1, port: ${port} }\n`
    writeFileSync(join(folder, 'nats.conf'), text)
    return ['-c', join(folder, 'nats.conf')]
  })
}

async function openDaemon(
  program: string,
  files: Readonly<Record<string, string>>,
  configure: (folder: string, port: number) => string[],
): Promise<Daemon> {
  const folder = mkdtempSync(join(tmpdir(), `holdfast-${program}-`))
  // mosquitto may give up being root before it reads its files.
  chmodSync(folder, 0o755)
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  const port = await freePort()
  const child = spawn(program, configure(folder, port), { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (said += text))
  const daemon: Daemon = {
    port,
    folder,
    said: () => said,
    reload: () => void child.kill('SIGHUP'),
    stop: async () => {
      await end(child)
      rmSync(folder, { recursive: true, force: true })
    },
  }
  for (let tries = 0; !(await answers(port)); tries++) {
    if (child.exitCode !== null || tries > 400) {
      await daemon.stop()
      throw new Error(`${program} did not start: ${said}`)
    }
    await new Promise(resolve => setTimeout(resolve, 25))
  }
  return daemon
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'close')
  child.kill('SIGKILL')
  await ended
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
