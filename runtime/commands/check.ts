/** `holdfast check`: what is wrong in the configuration and the rule files, all of it, before a gateway runs with them. */
import { Command } from 'commander'
import type { Problem } from '../document.ts'
import { exitCodes } from './failure.ts'
import { printable, terminalOf } from './terminal.ts'

export function checkCommand(): Command {
  return new Command('check')
    .description('check the configuration and the rule files without running anything')
    .option('--config <FILE>', 'the configuration to check')
    .option('--json', 'print {ok, config, rules, problems} as JSON')
    .addHelpText(
      'after',
      `
Every problem is told at once, each with file, line and column. Exit code 1 if there is any.

Examples:
  $ holdfast check --config /etc/holdfast/holdfast.yaml
  $ holdfast check --json | jq -r '.problems[].message'`,
    )
    .action(async ({ config: named, json }: { config?: string; json?: boolean }) => {
      const report = await checkAll(named)
      process.stdout.write(json ? `${JSON.stringify(report)}\n` : report.ok ? praise(report) : '')
      if (report.ok) return
      process.exitCode = exitCodes.failure
      if (!json) process.stderr.write(await complaint(report.problems))
    })
}

type Report = {
  readonly ok: boolean
  readonly config: string | null
  readonly rules: { readonly folder: string; readonly files: number; readonly rules: number } | null
  readonly problems: readonly Problem[]
}

async function checkAll(named: string | undefined): Promise<Report> {
  const { findConfig } = await import('./find-config.ts')
  const { file, result } = await findConfig(named)
  const config = file ?? null
  // Where the rules are is known only once the configuration is right.
  if (!result.ok) return { ok: false, config, rules: null, problems: result.problems }
  const { folder, zone } = result.config.rules
  const { parseRules } = await import('../../rules/language/file.ts')
  const { tableProblems } = await import('../alerting/rule-tables.ts')
  const files = await readRules(folder)
  const parsed = parseRules(files, { zone })
  const problems = parsed.ok ? tableProblems(parsed.rules, result.config.tables, parsed.placeOf) : parsed.problems
  const rules = { folder, files: files.length, rules: parsed.ok ? parsed.rules.length : 0 }
  return { ok: problems.length === 0, config, rules, problems }
}

async function readRules(folder: string): Promise<{ file: string; text: string }[]> {
  const [{ readRuleFiles }, { HoldfastError, messageOf }] = await Promise.all([
    import('../alerting/rule-files.ts'),
    import('../errors.ts'),
  ])
  try {
    return readRuleFiles(folder)
  } catch (error) {
    throw new HoldfastError('FILE_UNREADABLE', `the rules in ${folder} cannot be read: ${messageOf(error)}`, '', error)
  }
}

function praise({ config, rules }: Report): string {
  const first = config === null ? 'no configuration file: the defaults are used' : `${config}: good`
  const second =
    rules === null || rules.files === 0
      ? `no rule files in ${rules?.folder}`
      : `${rules.folder}: ${counted(rules.rules, 'rule')} in ${counted(rules.files, 'file')}, all good`
  return [first, second].map(line => `${printable(line)}\n`).join('')
}

async function complaint(problems: readonly Problem[]): Promise<string> {
  const { formatProblem } = await import('../document.ts')
  const { paint } = terminalOf(process.stderr)
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
  const lines = problems.map(problem => `${printable(formatProblem(problem))}\n`).join('')
  return `${lines}holdfast: ${paint('red', count)}. Correct the files and check again.\n`
}

const counted = (count: number, thing: string): string => `${count} ${thing}${count === 1 ? '' : 's'}`
