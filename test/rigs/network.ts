/**
 * Two hosts of our own on this machine: `edge`, with a LAN on which devices of this test are, and `cloud`, joined by an
 * uplink that can be unplugged or made to swallow packets without a word. Network namespaces, so what runs in them has
 * real interfaces, routes and sockets of its own, and nothing else of the machine is touched. Needs root, iproute2 and
 * nftables.
 *
 *   here 10.x.y.1 ──lan── 10.x.y.2 edge 10.99.0.1 ──uplink── 10.99.0.2 cloud
 */
import { execFileSync, spawnSync } from 'node:child_process'
import type { TestContext } from 'node:test'

export type Host = 'edge' | 'cloud'
export const uplinkAddress: Readonly<Record<Host, string>> = { edge: '10.99.0.1', cloud: '10.99.0.2' }

/** Why there can be no such network here, or false. */
export function noNetwork(): string | false {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'network namespaces need Linux and root'
  if (spawnSync('ip', ['-V']).error || spawnSync('nft', ['-v']).error) {
    if (process.env.CI === 'true') throw new Error('install iproute2 and nftables')
    return 'install the Debian packages iproute2 and nftables'
  }
  return false
}

let made = 0

export class Network {
  readonly name = `hf${process.pid.toString(36)}${(made++).toString(36)}`
  /** Where devices of the test find the edge. */
  readonly lanAddress: string

  static open(test: TestContext): Network {
    const network = new Network()
    test.after(() => network.close())
    network.#build()
    return network
  }

  private constructor() {
    const [high, low] = [100 + (process.pid % 100), (Math.floor(process.pid / 100) + made) % 250]
    this.lanAddress = `10.${high}.${low}.2`
  }

  /** What to write before a command, so that it runs on a host. The process id stays that of the command. */
  on(host: Host): readonly string[] {
    return ['ip', 'netns', 'exec', this.#namespace(host)]
  }

  /** Runs a command on a host to its end; throws if it fails. */
  run(host: Host, ...command: string[]): string {
    const [program = '', ...args] = [...this.on(host), ...command]
    return execFileSync(program, args, { encoding: 'utf8' })
  }

  /** The cable is out: both ends notice that there is no carrier, and nothing more. */
  unplug(): void {
    this.run('cloud', 'ip', 'link', 'set', 'uplink', 'down')
  }

  plug(): void {
    this.run('cloud', 'ip', 'link', 'set', 'uplink', 'up')
  }

  /** From now on packets that come to a host over the uplink vanish. Nobody is told. */
  swallow(...hosts: readonly Host[]): void {
    for (const host of hosts)
      this.run(host, 'nft', 'add', 'rule', 'inet', 'test', 'arriving', 'iifname', 'uplink', 'drop')
  }

  /** Packets pass again. */
  pass(): void {
    for (const host of ['edge', 'cloud'] as const) this.run(host, 'nft', 'flush', 'chain', 'inet', 'test', 'arriving')
  }

  /** Bytes that left the edge over the uplink so far, all headers included. */
  uplinkBytes(): number {
    const [link] = JSON.parse(this.run('edge', 'ip', '-s', '-j', 'link', 'show', 'uplink')) as [
      { stats64: { tx: { bytes: number } } },
    ]
    return link.stats64.tx.bytes
  }

  close(): void {
    // An interface goes with its namespace, and its other end with it.
    for (const host of ['edge', 'cloud'] as const) spawnSync('ip', ['netns', 'del', this.#namespace(host)])
  }

  #namespace(host: Host): string {
    return `${this.name}-${host}`
  }

  #build(): void {
    for (const host of ['edge', 'cloud'] as const) {
      ip('netns', 'add', this.#namespace(host))
      this.run(host, 'ip', 'link', 'set', 'lo', 'up')
      this.run(host, 'nft', 'add', 'table', 'inet', 'test')
      this.run(host, 'nft', 'add', 'chain', 'inet', 'test', 'arriving', '{ type filter hook input priority 0; }')
    }
    const [edge, cloud] = [this.#namespace('edge'), this.#namespace('cloud')]
    ip('link', 'add', 'uplink', 'netns', edge, 'type', 'veth', 'peer', 'name', 'uplink', 'netns', cloud)
    ip('link', 'add', this.name, 'type', 'veth', 'peer', 'name', 'lan', 'netns', edge)
    for (const host of ['edge', 'cloud'] as const) {
      this.run(host, 'ip', 'address', 'add', `${uplinkAddress[host]}/24`, 'dev', 'uplink')
      this.run(host, 'ip', 'link', 'set', 'uplink', 'up')
    }
    this.run('edge', 'ip', 'address', 'add', `${this.lanAddress}/24`, 'dev', 'lan')
    this.run('edge', 'ip', 'link', 'set', 'lan', 'up')
    ip('address', 'add', `${this.lanAddress.replace(/2$/, '1')}/24`, 'dev', this.name)
    ip('link', 'set', this.name, 'up')
  }
}

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' })
