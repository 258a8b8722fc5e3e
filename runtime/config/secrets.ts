/**
 * Passwords, from the file itself or from a file of their own that nobody else may read. A password never appears in a
 * message; the path of its file does.
 */
import { resolve } from 'node:path'
import type { Finding, Path } from '../document.ts'
import { messageOf, systemCode } from '../errors.ts'
import type { ConfigDoors } from './doors.ts'

export type SecretKeys = { readonly password?: string | undefined; readonly password_file?: string | undefined }
export type Secret = { readonly password: string | undefined; readonly findings: readonly Finding[] }

/** The password that the two keys at `path` give, if they give one, and what is wrong with them. */
export function readPassword(keys: SecretKeys, path: Path, folder: string, doors: ConfigDoors): Secret {
  if (keys.password_file === undefined) return { password: keys.password, findings: [] }
  const at = [...path, 'password_file']
  const found = (message: string): Secret => ({ password: undefined, findings: [{ path: at, message }] })
  if (keys.password !== undefined) return found('"password" and "password_file" exclude each other: keep one')
  const file = resolve(folder, keys.password_file)
  try {
    const { text, mode } = doors.readSecret(file)
    if (mode !== undefined && (mode & 0o077) !== 0) {
      return found(`${file} may be read by others (mode 0${mode.toString(8)}): chmod 600 ${file}`)
    }
    const password = text.replace(/\r?\n$/, '')
    return password === '' ? found(`${file} is empty`) : { password, findings: [] }
  } catch (error) {
    return found(`${file} ${whyUnreadable(error)}`)
  }
}

function whyUnreadable(error: unknown): string {
  switch (systemCode(error)) {
    case 'ENOENT':
      return 'does not exist'
    case 'EACCES':
    case 'EPERM':
      return 'may not be read by this user'
    case 'FILE_UNREADABLE':
      return messageOf(error)
    default:
      return `cannot be read: ${messageOf(error)}`
  }
}
