/** What the verbs share that talk to the gateway that runs: how to find it, and a client of it. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { type GatewayClient, gatewayClient } from './gateway-client.ts'

export type ClientOptions = { readonly config?: string; readonly socket?: string; readonly json?: boolean }

export function withGateway(command: Command): Command {
  return command
    .option('--config <FILE>', 'the configuration of the gateway to ask')
    .option('--socket <PATH>', 'its control socket, instead of the one that its configuration names')
}

export async function openClient({ socket, config }: ClientOptions): Promise<GatewayClient> {
  if (socket !== undefined) return gatewayClient(resolve(socket))
  const { findSocket } = await import('./find-config.ts')
  return gatewayClient(findSocket(config))
}
