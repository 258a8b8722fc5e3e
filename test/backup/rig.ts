/** Databases in folders, and their backups in files beside them. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext } from 'node:test'
import { writeBackup } from '../../runtime/backup/file.ts'
import { gatewayBackup } from '../../runtime/backup/gateway-backup.ts'
import { since } from '../../runtime/backup/make.ts'
import { BackupReader, fileChunks } from '../../runtime/backup/reader.ts'
import { type RestoreOptions, openChain, restore } from '../../runtime/backup/restore.ts'
import { silentLog } from '../../runtime/log.ts'
import { openClosed } from '../../runtime/store/closed.ts'
import type { Store } from '../../runtime/store/store.ts'

export const nowMs = Date.UTC(2026, 0, 2, 12)

export function folderFor(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-backup-'))
  test.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** As `holdfast backup` does: the pieces of a gateway that runs, read and written, all or what is new. */
export async function backUp(store: Store, file: string, previous?: string): Promise<void> {
  const source = await BackupReader.open(gatewayBackup(store, nowMs, silentLog), 'from the gateway')
  const before = previous === undefined ? undefined : await openFile(previous)
  const records = before === undefined ? source.records() : since(before.records(), source.records())
  await writeBackup(file, process.stdout, { ...source.head, base: before?.head.id ?? null }, records)
}

export const openFile = (file: string): Promise<BackupReader> =>
  BackupReader.open(fileChunks(file, process.stdin), file)

export async function restoreTo(to: string, files: readonly string[], options: Partial<RestoreOptions> = {}) {
  const chain = await openChain(files, process.stdin)
  const randomId = (): string => randomUUID()
  return restore(chain, {
    to,
    gateway: undefined,
    isClone: false,
    nowMs,
    randomId,
    onProgress: () => undefined,
    ...options,
  })
}

/** Every pair of a database that nobody has open, as text. */
export async function contentOf(folder: string): Promise<Map<string, string>> {
  const { pairs, close } = await openClosed(folder)
  const content = new Map<string, string>()
  for await (const some of pairs)
    for (const [key, value] of some) content.set(key.toString('latin1'), value.toString('latin1'))
  await close()
  return content
}
