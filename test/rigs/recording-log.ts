/** A log that remembers what it was told. */
import type { Log } from '../../runtime/log.ts'

export type Line = { readonly level: string; readonly msg: string } & Readonly<Record<string, unknown>>

export function recordingLog(): Log & { readonly lines: Line[] } {
  const lines: Line[] = []
  const at =
    (level: string) =>
    (fields: unknown, msg = ''): void =>
      void lines.push({ ...(fields as object), level, msg })
  const log: Log & { readonly lines: Line[] } = {
    lines,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => log,
  }
  return log
}
