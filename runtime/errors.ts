/**
 * Every error that a person may meet has a code, a sentence that says what and where, and a hint that says what to do.
 * This list is the catalogue; docs/errors.md has a heading for each code, and a test holds that both agree.
 */
export const errorCodes = [
  'ADDRESS_IN_USE',
  'ADDRESS_UNAVAILABLE',
  'API_BUSY',
  'BACKUP_CHAIN',
  'BACKUP_UNREADABLE',
  'BAD_ARGUMENT',
  'BAD_CONFIG',
  'BAD_LINES',
  'BAD_RULES',
  'BODY_TOO_LARGE',
  'FILE_UNREADABLE',
  'FILE_UNWRITABLE',
  'FOLDER_TAKEN',
  'FOLDER_UNWRITABLE',
  'GATEWAY_LOST',
  'GATEWAY_NOT_RUNNING',
  'INTERNAL',
  'NOT_A_GATEWAY',
  'NOT_FOUND',
  'ORIGIN_CHANGED',
  'RECORD_TOO_LARGE',
  'SOCKET_FORBIDDEN',
  'STORE_CLOSED',
  'STORE_DAMAGED',
  'STORE_FAILED',
  'STORE_FULL',
  'STORE_LOCKED',
  'STORE_NEWER',
  'TABLE_KIND',
  'TABLE_UNKNOWN',
  'TOO_MANY_SERIES',
  'USERS_FILE',
] as const
export type ErrorCode = (typeof errorCodes)[number]

export class HoldfastError extends Error {
  readonly code: ErrorCode
  /** What to do about it, in one sentence; empty where the message says it already. */
  readonly hint: string

  constructor(code: ErrorCode, message: string, hint = '', cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'HoldfastError'
    this.code = code
    this.hint = hint
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Why a file that a person named cannot be read. */
export function unreadableWords(error: unknown): string {
  switch (systemCode(error)) {
    case 'ENOENT':
      return 'there is no such file'
    case 'EISDIR':
      return 'it is a folder: name the files in it, as in FOLDER/*.yaml'
    case 'EACCES':
      return 'this user may not read it'
    default:
      return messageOf(error)
  }
}

/** Node's and LevelDB's error code (`EADDRINUSE`, `LEVEL_LOCKED`), if there is one. */
export function systemCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : undefined
}
