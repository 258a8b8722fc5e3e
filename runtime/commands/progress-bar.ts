/**
 * How far a long command has come, on one line of standard error that is drawn again and again; nothing at all where
 * standard error is no terminal, so that logs and pipes hold no half lines.
 *
 *   [############..................]  41%  12.3 MB of 30 MB  201,000 rows  48,200 rows/s
 *                                          12.3 MB           201,000 rows  48,200 rows/s      the whole is not known
 */
import { formatSize } from '../units.ts'
import { grouped } from './terminal.ts'

export type Step = {
  readonly bytes: number
  readonly rows: number
  /** All bytes, where they are known beforehand. */
  readonly ofBytes: number | undefined
}

export type ProgressBar = {
  show(step: Step): void
  /** Takes the line away. */
  end(): void
}

type Screen = Pick<NodeJS.WriteStream, 'isTTY' | 'write'>

/** Often enough to be seen to move. */
const everyMs = 100
const width = 30

/** `doing` stands before the bar, where a command does several things. */
export function openProgressBar(screen: Screen, monotonicMs: () => number, doing = ''): ProgressBar {
  if (!screen.isTTY) return { show: () => undefined, end: () => undefined }
  const beganMs = monotonicMs()
  let drawnMs = Number.NEGATIVE_INFINITY
  return {
    show(step) {
      const nowMs = monotonicMs()
      if (nowMs - drawnMs < everyMs) return
      drawnMs = nowMs
      screen.write(`\r${doing === '' ? '' : `${doing} `}${lineOf(step, nowMs - beganMs)}\u001b[K`)
    },
    end: () => void screen.write('\r\u001b[K'),
  }
}

export function lineOf({ bytes, rows, ofBytes }: Step, tookMs: number): string {
  const counts = `${grouped(rows)} rows  ${grouped(perSecond(rows, tookMs))} rows/s`
  if (ofBytes === undefined) return `${formatSize(bytes)}  ${counts}`
  const part = ofBytes === 0 ? 1 : Math.min(1, bytes / ofBytes)
  const full = Math.round(part * width)
  const bar = `[${'#'.repeat(full)}${'.'.repeat(width - full)}]`
  return `${bar} ${String(Math.floor(part * 100)).padStart(3)}%  ${formatSize(bytes)} of ${formatSize(ofBytes)}  ${counts}`
}

export function perSecond(rows: number, tookMs: number): number {
  return Math.round((rows / Math.max(1, tookMs)) * 1_000)
}
