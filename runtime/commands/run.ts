/** `holdfast run`: the gateway itself, until a signal ends it. */
import { Command } from 'commander'

export function runCommand(): Command {
  return new Command('run')
    .description('run the gateway until it is interrupted')
    .option('--config <FILE>', 'its configuration')
    .addHelpText(
      'after',
      `
The log goes to standard output, one JSON object a line. SIGINT and SIGTERM end it in peace: what was taken is committed
and acknowledged first; a second one ends it at once, which loses nothing that was acknowledged. SIGHUP reads the rule
files again.

Examples:
  $ holdfast run
  $ holdfast run --config /etc/holdfast/holdfast.yaml
  $ HOLDFAST_LOG__LEVEL=debug HOLDFAST_STORE__PATH=/mnt/data holdfast run`,
    )
    .action(async ({ config: named }: { config?: string }) => {
      const [{ requireConfig, requireWholeConfig }, { openLog }, { openGateway }, { urlOf }, { spareMemory }] =
        await Promise.all([
          import('./find-config.ts'),
          import('../log.ts'),
          import('../gateway.ts'),
          import('../broker/listen.ts'),
          import('./spare-memory.ts'),
        ])
      const { file, config } = await requireWholeConfig(named)
      const log = openLog(config.log.level)
      const stop = firstSignal()
      spareMemory(log)
      const gateway = await openGateway(config, { log, reread: () => requireConfig(file).config })
      const { broker, hub } = gateway.addresses
      log.info(
        {
          gateway: gateway.store.origin,
          config: file ?? 'defaults',
          store: config.store.path,
          socket: config.api.socket,
          broker: broker.map(urlOf),
          hub: hub.map(urlOf),
        },
        'ready',
      )
      process.on('SIGHUP', () => {
        gateway.reload()
      })
      const signal = await stop
      log.info({ signal }, 'closing')
      await gateway.close()
      log.info('closed')
    })
}

/** Resolves with the first signal, also if it comes while the gateway opens; the second ends the process where it is. */
function firstSignal(): Promise<string> {
  return new Promise(resolve => {
    let isFirst = true
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (!isFirst) process.exit(1)
        isFirst = false
        resolve(signal)
      })
    }
  })
}
