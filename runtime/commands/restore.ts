/** `holdfast restore`: from backups to a database in an empty folder. */
import { Command } from 'commander'
import { grouped, printable } from './terminal.ts'

type Options = {
  readonly to: string
  readonly gatewayId?: string
  readonly clone?: boolean
  readonly dryRun?: boolean
  readonly json?: boolean
}

export function restoreCommand(): Command {
  return new Command('restore')
    .description('make a database from a backup, in a folder that has none')
    .argument('FILE', 'a full backup, or - for standard input')
    .argument('[INCREMENTS...]', 'the increments that continue it, in their order')
    .requiredOption('--to <FOLDER>', 'the folder that store.path of the gateway will name')
    .option('--gateway-id <ID>', 'make it the database of another gateway than it was')
    .option('--clone', 'the gateway that was backed up goes on running: leave to it what it has not sent')
    .option('--dry-run', 'read and check everything, write nothing')
    .option('--json', 'print what was restored as JSON')
    .addHelpText(
      'after',
      `
Nothing is restored over a database, and nothing has the name of one before all of it is checked and on the disk. Under the
same id the gateway that was backed up must not run any more. docs/backup.md says what its bridges do then.

Examples:
  $ holdfast restore monday.backup --to /var/lib/holdfast
  $ holdfast restore monday.backup tuesday.backup --to /var/lib/holdfast
  $ holdfast restore monday.backup --to /var/lib/holdfast --gateway-id gw-2`,
    )
    .action(async (file: string, increments: string[], options: Options) => restore([file, ...increments], options))
}

async function restore(files: readonly string[], options: Options): Promise<void> {
  const [backups, { ByteProgress }, { wallMs }, { randomUUID }, { mustBeFree }] = await Promise.all([
    import('../backup/restore.ts'),
    import('./byte-progress.ts'),
    import('../clock/wall.ts'),
    import('node:crypto'),
    import('../store/closed.ts'),
  ])
  const { to, gatewayId: gateway, clone: isClone = false, dryRun: isDry = false, json } = options
  await mustBeName(gateway, isClone)
  mustBeFree(to)
  const chain = await backups.openChain(files, process.stdin)
  const progress = new ByteProgress(isDry ? 'checked' : 'restored', process.stderr)
  const onProgress = progress.at
  const made = { to, gateway, isClone, nowMs: wallMs(), randomId: () => randomUUID(), onProgress }
  backups.mustBeKnown(chain[0].head)
  const content = await (isDry ? backups.verifyChain(chain, onProgress) : backups.restore(chain, made)).finally(() =>
    progress.clear(),
  )
  const { head, pairs, bytes, damaged } = content
  const told = {
    to,
    gateway: gateway ?? head.gateway,
    from: head.gateway,
    created_ms: head.created_ms,
    pairs,
    bytes,
    damaged,
  }
  if (json) return void process.stdout.write(`${JSON.stringify({ ...told, dry_run: isDry })}\n`)
  const lines = [
    `${to}: ${isDry ? 'would be' : ''} the database of ${told.gateway}, as that of ${head.gateway} was at ${new Date(head.created_ms).toISOString()}: ${grouped(pairs)} values`.replace(
      '  ',
      ' ',
    ),
    ...(damaged === 0
      ? []
      : [`${grouped(damaged)} values were damaged already when the backup was made: they read as gaps`]),
  ]
  process.stdout.write(lines.map(line => `${printable(line)}\n`).join(''))
}

async function mustBeName(gateway: string | undefined, isClone: boolean): Promise<void> {
  const { UsageError } = await import('./failure.ts')
  if (isClone && gateway === undefined)
    throw new UsageError('a clone needs an id of its own: name it with --gateway-id')
  if (gateway !== undefined && !/^[A-Za-z0-9_-]{1,64}$/.test(gateway))
    throw new UsageError('an id has 1 to 64 letters, digits, "_" and "-"')
}
