/**
 * The rule files of a folder, as texts. Whatever somebody has put there, it is read quickly or not at all: no file beyond
 * the size that would be refused anyway, none that is not a file, and not more of them than a set may have.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { filesMax } from '../../rules/limits.ts'
import { documentBytesMax } from '../document.ts'
import { systemCode } from '../errors.ts'

/** `*.yaml` and `*.yml`, in the order of their names, but no `*.test.yaml`: tests may stand beside their rules. A folder that is missing has none. */
export function readRuleFiles(folder: string): { file: string; text: string }[] {
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  }
  const isRuleFile = (name: string): boolean =>
    /\.ya?ml$/.test(name) && !/\.test\.ya?ml$/.test(name) && !name.startsWith('.')
  // One more than there may be: whoever reads them says that there are too many.
  const files = names
    .filter(isRuleFile)
    .toSorted()
    .slice(0, filesMax + 1)
  return files.map(name => ({ file: join(folder, name), text: readText(join(folder, name)) }))
}

/** Of a file that is too large, one byte more than it may have: enough to be refused for it. */
function readText(file: string): string {
  // Without waiting: a pipe has nothing to read until somebody writes to it.
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    if (!fstatSync(descriptor).isFile()) throw new Error(`${file} is not a file`)
    const bytes = Buffer.alloc(documentBytesMax + 1)
    let length = 0
    for (;;) {
      const count = readSync(descriptor, bytes, length, bytes.length - length, null)
      length += count
      if (count === 0 || length === bytes.length) return bytes.toString('utf8', 0, length)
    }
  } finally {
    closeSync(descriptor)
  }
}
