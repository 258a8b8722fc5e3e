/** `holdfast reload`. */
import { Command } from 'commander'
import { type ClientOptions, openClient, withGateway } from './options.ts'

export function reloadCommand(): Command {
  return withGateway(new Command('reload'))
    .description('have the gateway read rule files, users and roles again')
    .option('--json', 'print the answer as JSON')
    .addHelpText(
      'after',
      `
Rule files and users are read again by themselves when they change; broker.roles and broker.anonymous of the configuration
only so, or with SIGHUP. Other keys of the configuration need a restart. It fails if something could not be taken, and then
what was in force stays; the log of the gateway says why.

Example:
  $ holdfast reload`,
    )
    .action(async (options: ClientOptions) => {
      const gateway = await openClient(options)
      const answer = await gateway.post<{ readonly in_force: boolean }>('/reload', {})
      if (options.json) process.stdout.write(`${JSON.stringify(answer)}\n`)
      else
        process.stdout.write(
          answer.in_force
            ? 'rules, users and roles are in force; other keys of the configuration need a restart\n'
            : 'not all could be taken: see the log, or "holdfast status"\n',
        )
      if (!answer.in_force) process.exitCode = 1
    })
}
