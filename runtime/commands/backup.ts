/** `holdfast backup`: everything that a gateway has stored, of one moment, into one file. */
import { Command } from 'commander'
import type { BackupRecord } from '../backup/container.ts'
import type { BackupReader } from '../backup/reader.ts'
import { UsageError } from './failure.ts'
import { type ClientOptions, withGateway } from './options.ts'
import { grouped, printable } from './terminal.ts'

type Options = ClientOptions & { readonly since?: string; readonly store?: string; readonly verify?: string }

export function backupCommand(): Command {
  return withGateway(new Command('backup'))
    .description('write everything that a gateway has stored into one file, while it runs')
    .argument('[FILE]', 'the file to write, or - for standard output; left out, one named after gateway and time')
    .option('--since <PREVIOUS>', 'write only what has changed since this backup')
    .option('--store <FOLDER>', 'read the folder of a gateway that does not run')
    .option('--verify <FILE>', 'read a backup to its end and say whether it is whole; write nothing')
    .option('--json', 'print what was written as JSON')
    .addHelpText(
      'after',
      `
It is of one moment, and holds up neither devices nor bridges. If no gateway runs, the folder that its configuration names
is read. FILE has its name only once it is whole and on the disk. It holds all that the gateway knows: keep it as safe.

Examples:
  $ holdfast backup /mnt/usb/monday.backup
  $ holdfast backup /mnt/usb/tuesday.backup --since /mnt/usb/monday.backup
  $ holdfast backup - | ssh vault 'cat > gw-1.backup'
  $ holdfast backup --verify /mnt/usb/monday.backup`,
    )
    .action(async (file: string | undefined, options: Options) => {
      if (options.verify !== undefined) return verify(options.verify, file, options)
      return backup(file, options)
    })
}

async function backup(given: string | undefined, options: Options): Promise<void> {
  if (given === '-' && process.stdout.isTTY)
    throw new UsageError('a backup is nothing for a terminal: name a file, or send it into a pipe')
  if (given === '-' && options.json) throw new UsageError('--json and - both want standard output: name a file')
  const [{ BackupReader, fileChunks, nameOf }, { since }, { writeBackup }, { ByteProgress }] = await Promise.all([
    import('../backup/reader.ts'),
    import('../backup/make.ts'),
    import('../backup/file.ts'),
    import('./byte-progress.ts'),
  ])
  const progress = new ByteProgress('read', process.stderr)
  const source = await openSource(options)
  try {
    const { head } = source
    const previous =
      options.since === undefined
        ? undefined
        : await BackupReader.open(fileChunks(options.since, process.stdin), nameOf(options.since))
    try {
      await mustContinue(head, previous)
      const file = given ?? `${head.gateway}-${timeText(head.created_ms)}.backup`
      progress.expect(head.about_bytes)
      const records = watched(source.records(), source, progress.at)
      const written = await writeBackup(
        file,
        process.stdout,
        { ...head, base: previous?.head.id ?? null },
        previous === undefined ? records : since(previous.records(), records),
      )
      progress.clear()
      const told = { file, id: head.id, gateway: head.gateway, base: previous?.head.id ?? null, ...written }
      if (options.json) process.stdout.write(`${JSON.stringify(toForm(told))}\n`)
      else process.stderr.write(`${printable(sentence(told))}\n`)
    } finally {
      await previous?.close()
    }
  } finally {
    progress.clear()
    await source.close()
  }
}

type Source = Pick<BackupReader, 'head' | 'records' | 'bytes'> & { close(): Promise<void> }

/** The gateway that runs, else the folder that it would run on. */
async function openSource({ socket, config, store }: Options): Promise<Source> {
  const { BackupReader } = await import('../backup/reader.ts')
  if (store !== undefined) return closedSource(store)
  const { gatewayClient } = await import('./gateway-client.ts')
  const { findPlaces } = await import('./find-config.ts')
  const places = socket === undefined ? findPlaces(config) : { socket, store: undefined }
  try {
    return await BackupReader.open(gatewayClient(places.socket).bytes('/backup'), 'from the gateway')
  } catch (error) {
    const isOff = (error as { code?: unknown }).code === 'GATEWAY_NOT_RUNNING'
    const { hasDatabase } = await import('../store/closed.ts')
    if (!isOff || places.store === undefined || !hasDatabase(places.store)) throw error
    process.stderr.write('no gateway runs: its folder is read\n')
    return closedSource(places.store)
  }
}

async function closedSource(folder: string): Promise<Source> {
  const [{ openClosed }, { putsOf }, { randomUUID }] = await Promise.all([
    import('../store/closed.ts'),
    import('../backup/make.ts'),
    import('node:crypto'),
  ])
  const { wallMs } = await import('../clock/wall.ts')
  const { facts, pairs, close } = await openClosed(folder)
  let bytes = 0
  const head = {
    id: randomUUID(),
    gateway: facts.origin ?? 'unknown',
    epoch: facts.epoch,
    format: facts.format,
    created_ms: wallMs(),
    base: null,
    about_bytes: 0,
  }
  async function* records(): AsyncGenerator<BackupRecord> {
    for await (const put of putsOf(pairs)) {
      bytes += put.key.length + put.value.length
      yield put
    }
  }
  return {
    head,
    records,
    close,
    get bytes() {
      return bytes
    },
  }
}

async function* watched(
  records: AsyncIterable<BackupRecord>,
  source: { readonly bytes: number },
  at: (bytes: number) => void,
): AsyncGenerator<BackupRecord> {
  for await (const record of records) {
    at(source.bytes)
    yield record
  }
}

async function mustContinue(head: BackupReader['head'], previous: BackupReader | undefined): Promise<void> {
  if (previous === undefined) return
  const { gateway, epoch } = previous.head
  if (gateway === head.gateway && epoch === head.epoch) return
  const { HoldfastError } = await import('../errors.ts')
  throw new HoldfastError(
    'BACKUP_CHAIN',
    `the backup ${previous.name} is of another database: that of "${gateway}" (${epoch}), not of "${head.gateway}" (${head.epoch})`,
    'make a full backup: leave out --since',
  )
}

async function verify(file: string, other: string | undefined, { json, since: before }: Options): Promise<void> {
  if (other !== undefined || before !== undefined) throw new UsageError('--verify takes one file, and writes none')
  const [{ BackupReader, fileChunks, nameOf }, { verifyFile }, { ByteProgress }] = await Promise.all([
    import('../backup/reader.ts'),
    import('../backup/restore.ts'),
    import('./byte-progress.ts'),
  ])
  const reader = await BackupReader.open(fileChunks(file, process.stdin), nameOf(file))
  const progress = new ByteProgress('read', process.stderr)
  const content = await verifyFile(reader, progress.at).finally(() => progress.clear())
  const { id, gateway, created_ms, base } = reader.head
  const told = { file, id, gateway, created_ms, base, ...reader.counts, damaged: content.damaged }
  if (json) return void process.stdout.write(`${JSON.stringify(told)}\n`)
  const made = new Date(created_ms).toISOString()
  const kind = base === null ? 'a full backup' : `an increment to ${base}`
  const doubt =
    content.damaged === 0 ? '' : `; ${grouped(content.damaged)} values were damaged already when it was made`
  process.stdout.write(
    `${printable(`${file}: whole, ${kind} of ${gateway} of ${made}, ${grouped(reader.counts.puts)} values${doubt}`)}\n`,
  )
}

type Told = {
  readonly file: string
  readonly id: string
  readonly gateway: string
  readonly base: string | null
  readonly puts: number
  readonly sames: number
  readonly bytes: number
  readonly packedBytes: number
}

function toForm({ packedBytes, ...told }: Told): object {
  return { ...told, packed_bytes: packedBytes }
}

function sentence({ file, gateway, base, puts, sames, packedBytes }: Told): string {
  const where = file === '-' ? 'standard output' : file
  const what = base === null ? 'a full backup' : `what has changed (${grouped(sames)} values have not)`
  return `${where}: ${what} of ${gateway}, ${grouped(puts)} values in ${grouped(packedBytes)} bytes`
}

const timeText = (ms: number): string => new Date(ms).toISOString().replace(/[-:]|\.\d+/g, '')
