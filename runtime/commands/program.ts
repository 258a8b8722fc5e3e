/**
 * The command line as a whole: which verbs there are, what they share, and how a failure ends the process.
 *
 * Promises: exit codes 0, 1 (it failed) and 2 (the command line is wrong); a failure is one sentence on standard error.
 * Each verb stands in a file of its own and imports the rooms that it needs only when it runs, so that `--help` is quick.
 */
import { Command, CommanderError, Help, type HelpConfiguration } from 'commander'
import { alertsCommand } from './alerts.ts'
import { backupCommand } from './backup.ts'
import { checkCommand } from './check.ts'
import { decodeCommand } from './decode.ts'
import { deleteCommand } from './delete.ts'
import { devicesCommand } from './devices.ts'
import { demoCommand } from './demo.ts'
import { doctorCommand } from './doctor.ts'
import { exportCommand } from './export.ts'
import { exitCodeOf, exitCodes, failureText } from './failure.ts'
import { importCommand } from './import.ts'
import { metricsCommand } from './metrics.ts'
import { parkedCommand } from './parked.ts'
import { putCommand } from './put.ts'
import { queryCommand } from './query.ts'
import { reloadCommand } from './reload.ts'
import { restoreCommand } from './restore.ts'
import { rulesCommand } from './rules.ts'
import { runCommand } from './run.ts'
import { simCommand } from './sim.ts'
import { statusCommand } from './status.ts'
import { tailCommand } from './tail.ts'
import { userCommand } from './user.ts'
import { programVersion } from '../version.ts'
import { versionCommand } from './version.ts'

const about = `An edge gateway: devices publish readings to its MQTT broker, and what it has acknowledged it keeps.

Rules in files raise alerts, and chosen tables travel to and from a hub whenever the link allows.`

const after = `
Configuration: --config FILE, else ./holdfast.yaml, else /etc/holdfast/holdfast.yaml, else defaults with data in ./data.
Exit codes: 0 done, 1 failed, 2 the command line is wrong. Colours are left out for pipes and with NO_COLOR.

Example:
  $ holdfast run &
  $ mosquitto_pub -t sensors/freezer-1/temperature -m -18.5 -q 1
  $ holdfast query readings`

/** Runs one command line (without `node` and the program's name). Resolves with the exit code. */
export async function runProgram(args: readonly string[]): Promise<number> {
  endQuietlyWithThePipe()
  const program = createProgram()
  try {
    await program.parseAsync([...args], { from: 'user' })
    return Number(process.exitCode ?? 0)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage
    process.stderr.write(failureText(error, await wantsStack(program)))
    return exitCodeOf(error)
  }
}

function createProgram(): Command {
  const program = new Command('holdfast')
    .description(about)
    .usage('VERB [options]')
    .version(programVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'print this text, or that of a verb')
    .helpCommand('help [VERB]', 'print the text of a verb')
    .option('--debug', 'print the stack of a failure')
    .addHelpText('after', after)
  const verbs = [
    runCommand(),
    checkCommand(),
    decodeCommand(),
    statusCommand(),
    metricsCommand(),
    tailCommand(),
    queryCommand(),
    exportCommand(),
    importCommand(),
    putCommand(),
    deleteCommand(),
    devicesCommand(),
    alertsCommand(),
    parkedCommand(),
    rulesCommand(),
    reloadCommand(),
    userCommand(),
    backupCommand(),
    restoreCommand(),
    doctorCommand(),
    simCommand(),
    demoCommand(),
    versionCommand(),
  ]
  for (const verb of verbs) program.addCommand(verb)
  for (const command of [program, ...verbs, ...verbs.flatMap(verb => verb.commands)]) {
    command.configureHelp(plainHelp).exitOverride()
    command.configureOutput({ outputError: (text, write) => write(usageText(text, pathOf(command))) })
  }
  return program
}

/** Names as man pages write them: `put TABLE KEY VALUE`, `--config FILE`. */
const plainHelp: HelpConfiguration = {
  helpWidth: 100,
  subcommandTerm: command =>
    [command.name(), ...command.registeredArguments.map(argument => argument.name())].join(' '),
  commandUsage: command => plain(new Help().commandUsage(command)),
  optionTerm: ({ flags }) => plain(flags),
}
const plain = (term: string): string => term.replace(/[<>]/g, '')

/** `holdfast alerts silence`. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`
}

/** Commander's complaints in the form of ours. */
function usageText(text: string, path: string): string {
  const [what = '', ...more] = text
    .replace(/^error: /, '')
    .trim()
    .split('\n')
  const hint = more.join(' ').replace(/^\((.*)\)$/, '$1')
  return failureText(new Error(what), false).trimEnd() + (hint === '' ? ` See: ${path} --help\n` : ` ${hint}\n`)
}

async function wantsStack(program: Command): Promise<boolean> {
  if (program.opts<{ debug?: boolean }>().debug) return true
  const { systemDoors } = await import('../config/doors.ts')
  return systemDoors().environment.HOLDFAST_LOG__LEVEL === 'debug'
}

/** `holdfast tail readings | head` is no failure: whoever read has enough. */
function endQuietlyWithThePipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
}
