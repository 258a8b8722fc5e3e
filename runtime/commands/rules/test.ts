/** `holdfast rules test FILE...`: runs the tests of scenario files, and says of each whether its rules did what it expects. */
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { formatProblem } from '../../document.ts'
import { HoldfastError, messageOf } from '../../errors.ts'

export function rulesTestCommand(): Command {
  return new Command('test')
    .description('run the tests of scenario files')
    .argument('<FILE...>', 'scenario files (YAML)')
    .addHelpText(
      'after',
      `
A scenario file names rule files, writes down readings, and says which alerts they must raise and which not. It has the
form of promtool's tests; docs/rule-tests.md shows how to write one. Exit code 1 if a test fails.

Examples:
  $ holdfast rules test rules/tests/*.yaml`,
    )
    .action(async (files: readonly string[]) => {
      const { parseScenarios } = await import('../../../rules/scenario/file.ts')
      for (const file of files) {
        const parsed = parseScenarios(file, readText(file))
        if (!parsed.ok) throw new HoldfastError('BAD_RULES', parsed.problems.map(formatProblem).join('\n'))
        for (const { name } of parsed.scenarios) process.stdout.write(`${name}\n`)
      }
    })
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new HoldfastError('FILE_UNREADABLE', `${file} cannot be read: ${messageOf(error)}`, '', error)
  }
}
