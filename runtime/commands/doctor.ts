/** `holdfast doctor`: what is wrong with the store, in plain sentences, and mending it. */
import { Command } from 'commander'
import type { DoctorAnswer } from '../api/damage.ts'
import { HoldfastError } from '../errors.ts'
import type { Examination } from '../store/doctor.ts'
import type { DamageReport } from '../store/mending/report.ts'
import { exitCodes } from './failure.ts'
import { type ClientOptions, withGateway } from './options.ts'
import { grouped, printable } from './terminal.ts'

type Options = ClientOptions & { readonly dryRun?: boolean; readonly store?: string }

/** The gateway reads its files gently; it is asked this often how far it is. */
const askEveryMs = 300

export function doctorCommand(): Command {
  return withGateway(new Command('doctor'))
    .description('read everything that is stored, say what is damaged, and mend it')
    .option('--dry-run', 'only say what is wrong and what mending would do')
    .option('--store <FOLDER>', 'the folder of a gateway that does not run, instead of the one its configuration names')
    .option('--json', 'print what was found as JSON')
    .addHelpText(
      'after',
      `
A gateway mends itself whenever it opens its store; this tells what it would find, and does it now. What is damaged goes to
the folder quarantine first. If the gateway runs, it is asked to read all of its files beside its work, and mends what that
finds by itself, so --dry-run is no different then.

Exit codes: 0 nothing is wrong, or it was mended; 1 something is wrong still; 2 the command line is wrong.

Examples:
  $ holdfast doctor --dry-run
  $ holdfast doctor
  $ holdfast doctor --store /mnt/card/holdfast --json | jq '.findings[].text'`,
    )
    .action(async (options: Options) => {
      const isHere = options.store === undefined && (await askGateway(options))
      if (!isHere) await examineFolder(options)
    })
}

/** False if no gateway runs. */
async function askGateway(options: Options): Promise<boolean> {
  const [{ openClient }, { openBar }] = await Promise.all([import('./options.ts'), import('./doctor-bar.ts')])
  const gateway = await openClient(options)
  const bar = openBar(process.stderr)
  try {
    let answer = await gateway.post<DoctorAnswer>('/doctor', {})
    while (answer.verifying) {
      await new Promise(resolve => setTimeout(resolve, askEveryMs))
      answer = await gateway.get<DoctorAnswer>('/doctor')
      bar.show('the gateway reads its files', answer.done_bytes, answer.all_bytes)
    }
    bar.end()
    process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : gatewayText(answer))
    return true
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'GATEWAY_NOT_RUNNING' && options.socket === undefined)
      return false
    throw error
  } finally {
    bar.end()
  }
}

async function examineFolder(options: Options): Promise<void> {
  const [{ requireConfig }, { examine }, { monotonicMs, wallMs }, { openBar }] = await Promise.all([
    import('./find-config.ts'),
    import('../store/doctor.ts'),
    import('../clock/wall.ts'),
    import('./doctor-bar.ts'),
  ])
  const { config } = requireConfig(options.config)
  const bar = openBar(process.stderr)
  const isDry = options.dryRun === true
  try {
    const found = await examine({
      path: options.store ?? config.store.path,
      tables: [...config.tables].map(([name, { kind }]) => ({ name, kind })),
      origin: config.gateway.id,
      isDry,
      ballastBytes: config.store.ballastBytes,
      now: wallMs,
      monotonicMs,
      progress: bar.show,
    })
    bar.end()
    process.stdout.write(
      options.json ? `${JSON.stringify({ ...found, dry_run: isDry })}\n` : examinationText(found, isDry),
    )
    const isWrong = (isDry && found.report !== undefined) || found.findings.some(({ level }) => level === 'warning')
    if (isWrong) process.exitCode = exitCodes.failure
  } finally {
    bar.end()
  }
}

function examinationText({ folder, findings, report, isMended }: Examination, isDry: boolean): string {
  const troubles = findings.filter(({ level }) => level === 'trouble')
  const warnings = findings.filter(({ level }) => level === 'warning')
  const lines = [
    `The store in ${folder}`,
    ...findings.filter(({ level }) => level === 'note').map(({ text }) => `  ${text}`),
    ...(troubles.length > 0 ? ['What is damaged:', ...troubles.map(({ text }) => `  ${text}`)] : []),
    ...(report === undefined ? [] : reportLines(report, isMended ? 'What was done:' : 'What mending would do:')),
    ...(warnings.length > 0 ? ['What a person must look at:', ...warnings.map(({ text }) => `  ${text}`)] : []),
    lastLine(report !== undefined, warnings.length > 0, isDry),
  ]
  return `${lines.map(printable).join('\n')}\n`
}

function lastLine(isDamaged: boolean, isWarned: boolean, isDry: boolean): string {
  if (isDamaged && isDry) return 'Nothing was changed. To mend it: holdfast doctor'
  if (isDamaged) return 'It is mended. Think of another card: one that loses bytes once does it again.'
  return isWarned ? 'Nothing is damaged.' : 'Nothing is wrong.'
}

function reportLines({ files, lost, notes, values, quarantine }: DamageReport, title: string): string[] {
  const counted = lost.filter(({ count }) => count > 0)
  return [
    title,
    ...files.map(({ file, deed }) => `  ${file === '' ? 'the database' : file}: ${deed}`),
    ...(values > 0
      ? [`  ${grouped(values)} damaged values are taken out${quarantine ? ` (quarantine/${quarantine})` : ''}`]
      : []),
    ...notes.map(note => `  ${note}`),
    'What is lost:',
    ...(counted.length === 0 ? ['  no entry of any log'] : []),
    ...counted.map(
      ({ table, first, last, count }) =>
        `  ${grouped(count)} entries of "${table}", between positions ${first} and ${last}`,
    ),
  ]
}

function gatewayText({ damage, reports }: DoctorAnswer): string {
  const lines = [
    'The gateway runs, and has read every file of its store.',
    ...(damage.mended > 0 ? [`Since its start it has mended itself ${grouped(damage.mended)} times.`] : []),
    ...reports.flatMap(report => reportLines(report, `On ${new Date(report.at_ms).toISOString()} it did:`)),
    ...(reports.length === 0 ? ['Nothing is wrong.'] : []),
  ]
  return `${lines.map(printable).join('\n')}\n`
}
