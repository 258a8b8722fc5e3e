/**
 * Where a password comes from: a file, a terminal that does not show it, or the first line of standard input. It is never
 * an argument, which others on the machine could read, and never printed.
 */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { ReadStream } from 'node:tty'
import { passwordBytesMax } from '../../access/limits.ts'
import { HoldfastError, unreadableWords } from '../../errors.ts'
import { refuseArgument } from './change.ts'

export async function askPassword(name: string, file: string | undefined): Promise<Buffer> {
  if (file !== undefined) return checked(firstLine(readPasswordFile(file)))
  if (!process.stdin.isTTY) return checked(await lineOfInput())
  const password = await hiddenLine(`Password of ${name}: `)
  const again = await hiddenLine('The same again: ')
  if (password !== again) throw refuseArgument('the two passwords differ', 'nothing was changed; try again')
  return checked(password)
}

function checked(password: string): Buffer {
  const bytes = Buffer.from(password)
  if (bytes.length === 0) throw refuseArgument('the password is empty', 'give one of some length')
  if (bytes.length > passwordBytesMax) {
    throw refuseArgument(`the password has more than ${passwordBytesMax} bytes`, 'give a shorter one')
  }
  return bytes
}

const firstLine = (text: string): string => text.split(/\r?\n/, 1)[0] ?? ''

function readPasswordFile(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new HoldfastError(
      'FILE_UNREADABLE',
      `the password file ${file} cannot be read: ${unreadableWords(error)}`,
      'name another with --password-file',
      error,
    )
  }
}

async function lineOfInput(): Promise<string> {
  const lines = createInterface({ input: process.stdin })
  try {
    for await (const line of lines) return line
    return ''
  } finally {
    lines.close()
  }
}

/** Reads keys until Enter; the terminal shows none of them. */
function hiddenLine(prompt: string): Promise<string> {
  const input: ReadStream = process.stdin
  process.stderr.write(prompt)
  input.setRawMode(true)
  input.setEncoding('utf8')
  input.resume()
  return new Promise((resolve, reject) => {
    let typed = ''
    const end = (): void => {
      input.off('data', hear)
      input.setRawMode(false)
      input.pause()
      process.stderr.write('\n')
    }
    const hear = (keys: string | Buffer): void => {
      for (const key of keys.toString()) {
        if (key === '\r' || key === '\n' || key === '\u0004') {
          end()
          return resolve(typed)
        }
        if (key === '\u0003') {
          end()
          return reject(refuseArgument('interrupted', 'nothing was changed'))
        }
        if (key === '\u007f' || key === '\b') typed = Array.from(typed).slice(0, -1).join('')
        else typed += key
      }
    }
    input.on('data', hear)
  })
}
