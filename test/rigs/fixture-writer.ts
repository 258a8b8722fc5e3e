/**
 * A small program for the tests of the rigs themselves: writes numbered lines, in ways that are right or wrong.
 *
 *   node fixture-writer.js FOLDER RECORDING MANNER
 *
 * It must never be taken as an example: most of its manners lose data.
 */
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { writeNote } from './recording.ts'

export const manners = ['careful', 'ack-before-sync', 'no-folder-sync', 'rename-unsynced'] as const
export type Manner = (typeof manners)[number]

const [folder = '', recording = '', manner = 'careful'] = process.argv.slice(2)
if (folder) run(folder, openSync(recording, 'a'), manner as Manner)

/** 40 lines, in four files: `part-1` to `part-4`, made aside in a folder `new` that is renamed to `parts` at the start. */
function run(root: string, notes: number, manner: Manner): void {
  mkdirSync(`${root}/new`)
  writeFileSync(`${root}/new/format`, 'lines 1\n')
  if (manner !== 'rename-unsynced') {
    syncPath(`${root}/new/format`)
    syncPath(`${root}/new`)
  }
  renameSync(`${root}/new`, `${root}/parts`)
  if (manner !== 'no-folder-sync') syncPath(root)
  writeNote(notes, 0, 'created')
  for (let part = 1; part <= 4; part++) {
    const file = openSync(`${root}/parts/part-${part}`, 'a')
    if (manner !== 'no-folder-sync') syncPath(`${root}/parts`)
    for (let line = part * 10 - 9; line <= part * 10; line++) {
      writeSync(file, `line ${line}\n`)
      if (manner === 'ack-before-sync') writeNote(notes, line)
      fdatasyncSync(file)
      if (manner !== 'ack-before-sync') writeNote(notes, line)
    }
    closeSync(file)
  }
  rmSync(`${root}/parts/format`)
}

function syncPath(path: string): void {
  const fd = openSync(path, 'r')
  fsyncSync(fd)
  closeSync(fd)
}
