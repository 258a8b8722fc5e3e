/** `holdfast metrics`. */
import { Command } from 'commander'
import { type ClientOptions, openClient, withGateway } from './options.ts'

export function metricsCommand(): Command {
  return withGateway(new Command('metrics'))
    .description('print the numbers of the gateway in the text format of Prometheus')
    .addHelpText(
      'after',
      `
What each of them is stands in docs/metrics.md. The same is told by GET /metrics on the socket of the gateway.

Examples:
  $ holdfast metrics | grep written_bytes
  $ holdfast metrics > /var/lib/node_exporter/holdfast.prom`,
    )
    .action(async (options: ClientOptions) => {
      const gateway = await openClient(options)
      process.stdout.write(await gateway.text('/metrics'))
    })
}
