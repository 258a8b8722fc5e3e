/** `holdfast sim`: the pretend devices of firmware-sim, which has its own command line and knows nothing of gateways. */
import { Command } from 'commander'

export function simCommand(): Command {
  return (
    new Command('sim')
      .description('publish what pretend devices measure, to this gateway or any broker')
      .usage('[options]')
      // The fleet tells its own options.
      .helpOption(false)
      .allowUnknownOption()
      .allowExcessArguments()
      .action(async (_options: unknown, command: Command) => {
        // Its program as it is: it reads the arguments that are left for it, and sets the exit code.
        process.argv.splice(2, process.argv.length, ...command.args)
        await import('../../firmware-sim/main.ts')
      })
  )
}
