/** `holdfast rules test FILE...` and its neighbours: what can be done with rules without a gateway. */
import { Command } from 'commander'
import { rulesTestCommand } from './rules/test.ts'

export function rulesCommand(): Command {
  return new Command('rules')
    .description('test rules against readings written down in a file')
    .usage('VERB [options]')
    .helpCommand(false)
    .addHelpText(
      'after',
      `
Nothing here needs a gateway, or touches one.

Examples:
  $ holdfast rules test rules/tests/*.yaml`,
    )
    .addCommand(rulesTestCommand())
}
