/** `holdfast rules`: the verbs about rules, each in a file of its own below rules/. */
import { Command } from 'commander'
import { rulesExplainCommand, rulesListCommand } from './rules/list.ts'
import { rulesTryCommand } from './rules/try.ts'
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
  $ holdfast rules try new.yaml --from 7d
  $ holdfast rules test rules/tests/*.yaml`,
    )
    .addCommand(rulesListCommand())
    .addCommand(rulesExplainCommand())
    .addCommand(rulesTestCommand())
    .addCommand(rulesTryCommand())
}
