/** `holdfast rules`: the verbs about rules, each in a file of its own below rules/. */
import { Command } from 'commander'
import { rulesExplainCommand, rulesListCommand } from './rules/list.ts'
import { rulesTestCommand } from './rules/test.ts'

export function rulesCommand(): Command {
  return new Command('rules')
    .description('show the rules in force, and test rules before they are')
    .usage('VERB [options]')
    .helpCommand(false)
    .addHelpText(
      'after',
      `
Examples:
  $ holdfast rules list
  $ holdfast rules test rules/tests/*.yaml`,
    )
    .addCommand(rulesListCommand())
    .addCommand(rulesExplainCommand())
    .addCommand(rulesTestCommand())
}
