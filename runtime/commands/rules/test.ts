/** `holdfast rules test FILE...`: runs the tests of scenario files, and says of each whether its rules did what it expects. */
import { Command } from 'commander'
import type { RuleTest, TestResult } from '../../rehearsal/rule-tests.ts'
import { exitCodes, UsageError } from '../failure.ts'
import { printable, terminalOf } from '../terminal.ts'
import { failureLines, progressLine, summaryLine, testLine } from './test-report.ts'

type Options = { readonly json?: boolean; readonly run?: string }

export function rulesTestCommand(): Command {
  return new Command('test')
    .description('run the tests of scenario files, without a gateway')
    .argument('<FILE...>', 'scenario files (YAML)')
    .option('--run <NAME>', 'only tests whose name holds this text')
    .option('--json', 'print {ok, problems, tests} as JSON')
    .addHelpText(
      'after',
      `
A scenario file names rule files, writes down readings, and says which alerts they must raise and which not. It has the
form of promtool's tests; docs/rule-tests.md shows how to write one. The rules are judged by the gateway's own code, in a
temporary folder and on a clock of their own: a day takes a second. Exit code 1 if a test fails.

Examples:
  $ holdfast rules test rules/tests/*.yaml
  $ holdfast rules test cold-chain.test.yaml --run "door left open"
  $ holdfast rules test rules/tests/*.yaml --json | jq '.tests[] | select(.ok | not)'`,
    )
    .action(async (files: readonly string[], options: Options) => {
      const { readRuleTests, runRuleTest } = await import('../../rehearsal/rule-tests.ts')
      const read = readRuleTests(files)
      if (!read.ok) return refuse(read.problems, options)
      const chosen = read.tests.filter(({ scenario }) => scenario.name.includes(options.run ?? ''))
      if (chosen.length === 0) throw new UsageError(nothingToRun(read.tests, options))
      const results = await runAll(chosen, runRuleTest, options.json === true)
      if (options.json)
        process.stdout.write(`${JSON.stringify({ ok: allOk(results), problems: [], tests: results })}\n`)
      if (!allOk(results)) process.exitCode = exitCodes.failure
    })
}

async function runAll(
  tests: readonly RuleTest[],
  run: (test: RuleTest) => Promise<TestResult>,
  isSilent: boolean,
): Promise<readonly TestResult[]> {
  const terminal = terminalOf(process.stdout)
  const results: TestResult[] = []
  let file: string | undefined
  for (const test of tests) {
    const { scenario } = test
    if (!isSilent && scenario.file !== file) process.stdout.write(`${printable(scenario.file)}\n`)
    file = scenario.file
    const progress = progressLine(results.length, tests.length, scenario.name, terminal.paint)
    if (!isSilent && terminal.isTerminal) process.stdout.write(progress)
    const result = await run(test)
    results.push(result)
    if (isSilent) continue
    // Over the line that said what is running.
    if (terminal.isTerminal) process.stdout.write('\r\u001b[2K')
    process.stdout.write(testLine(result, terminal.paint) + failureLines(result.failures, terminal.paint))
  }
  if (!isSilent) process.stdout.write(summaryLine(results, terminal.paint))
  return results
}

const allOk = (results: readonly TestResult[]): boolean => results.every(({ ok }) => ok)

async function refuse(
  problems: readonly { file: string; line: number; column: number; message: string }[],
  { json }: Options,
): Promise<void> {
  process.exitCode = exitCodes.failure
  if (json) {
    process.stdout.write(`${JSON.stringify({ ok: false, problems, tests: [] })}\n`)
    return
  }
  const { formatProblem } = await import('../../document.ts')
  const { paint } = terminalOf(process.stderr)
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
  const lines = problems.map(problem => `${printable(formatProblem(problem))}\n`).join('')
  process.stderr.write(`${lines}holdfast: ${paint('red', count)}. Nothing was run. Correct the files and run again.\n`)
}

function nothingToRun(tests: readonly RuleTest[], { run }: Options): string {
  if (tests.length === 0) return 'there is no test in these files'
  const names = tests.slice(0, 10).map(({ scenario }) => `"${scenario.name}"`)
  return `no test has "${run}" in its name; there are ${names.join(', ')}${tests.length > 10 ? ' and others' : ''}`
}
