/**
 * Reads what `iorec.c` wrote: every change to the files below one folder, in order, and the program's own notes.
 *
 * It must never skip what it does not understand: a recording with a hole proves nothing.
 */
import { readFileSync, writeSync } from 'node:fs'

export type Operation =
  | { readonly kind: 'create' | 'make-folder'; readonly inode: number; readonly path: string }
  | { readonly kind: 'truncate'; readonly inode: number; readonly length: number; readonly path: string }
  | {
      readonly kind: 'write'
      readonly inode: number
      readonly offset: number
      readonly bytes: Buffer
      readonly path: string
    }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  | { readonly kind: 'unlink' | 'remove-folder'; readonly path: string }
  | { readonly kind: 'sync-begin' | 'sync-file' | 'sync-folder'; readonly inode: number; readonly path: string }
  /** From here on the program counts on `acknowledged` being safe. */
  | { readonly kind: 'note'; readonly acknowledged: number; readonly text: string }

export function readRecording(file: string): readonly Operation[] {
  const raw = readFileSync(file)
  const operations: Operation[] = []
  for (let at = 0; at < raw.length; ) {
    const headEnd = raw.indexOf(10, at)
    const head = raw.toString('utf8', at, headEnd)
    const [, letter, inode, offset, length, path] = /^(\S) (\d+) (-?\d+) (\d+) (.*)$/.exec(head) ?? []
    if (letter === undefined || path === undefined) throw new Error(`the recording is damaged at byte ${at}: ${head}`)
    const bytes = raw.subarray(headEnd + 1, headEnd + 1 + Number(length))
    operations.push(operationOf(letter, Number(inode), Number(offset), bytes, path))
    at = headEnd + 2 + Number(length)
  }
  return operations
}

function operationOf(letter: string, inode: number, offset: number, bytes: Buffer, path: string): Operation {
  switch (letter) {
    case 'C':
      return { kind: 'create', inode, path }
    case 'M':
      return { kind: 'make-folder', inode, path }
    case 'T':
      return { kind: 'truncate', inode, length: offset, path }
    case 'W':
      return { kind: 'write', inode, offset, bytes, path }
    case 'R':
      return { kind: 'rename', path, to: bytes.toString() }
    case 'U':
      return { kind: 'unlink', path }
    case 'X':
      return { kind: 'remove-folder', path }
    case 'B':
      return { kind: 'sync-begin', inode, path }
    case 'S':
      return { kind: 'sync-file', inode, path }
    case 'D':
      return { kind: 'sync-folder', inode, path }
    case 'A':
      return { kind: 'note', acknowledged: inode, text: bytes.toString() }
    default:
      throw new Error(`the recorder met a change to ${path} that it cannot describe (a link, or a move over the root)`)
  }
}

/** Puts a note into the recording while it is made: one append, so it stands whole between two changes. */
export function writeNote(recordingFd: number, acknowledged: number, text = ''): void {
  const bytes = Buffer.from(text)
  const note = Buffer.concat([Buffer.from(`A ${acknowledged} 0 ${bytes.length} \n`), bytes, Buffer.from('\n')])
  if (writeSync(recordingFd, note) !== note.length) throw new Error('the note did not fit on the disk of the recording')
}

/** One operation in a few words, for reports. */
export function describe(operation: Operation): string {
  switch (operation.kind) {
    case 'write':
      return `write ${operation.path} ${operation.offset}+${operation.bytes.length}`
    case 'rename':
      return `rename ${operation.path} -> ${operation.to}`
    case 'note':
      return `acknowledged ${operation.acknowledged}`
    default:
      return `${operation.kind} ${operation.path}`
  }
}
