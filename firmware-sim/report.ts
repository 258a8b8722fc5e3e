/** What a run tells people: the live line, the closing words, the rates. Pure: counts in, text out. */
import type { Counts, Summary } from './counts.ts'

export type Rates = {
  /** Whole seconds that were measured; the drain at the end is not among them. */
  seconds: number
  publishedPerSecond: Spread
  acknowledgedPerSecond: Spread
}
type Spread = { least: number; median: number; most: number }

/** Remembers how much was counted in each second, up to `secondsMax` of them, the latest. */
type RateRecorder = { second: (counts: Counts) => void; rates: () => Rates }

const secondsMax = 3_600

export function createRateRecorder(): RateRecorder {
  const published: number[] = []
  const acknowledged: number[] = []
  let last: Pick<Counts, 'published' | 'acknowledged'> = { published: 0, acknowledged: 0 }
  return {
    second: counts => {
      published.push(counts.published - last.published)
      acknowledged.push(counts.acknowledged - last.acknowledged)
      last = counts
      if (published.length > secondsMax) published.shift()
      if (acknowledged.length > secondsMax) acknowledged.shift()
    },
    rates: () => ({
      seconds: published.length,
      publishedPerSecond: spreadOf(published),
      acknowledgedPerSecond: spreadOf(acknowledged),
    }),
  }
}

function spreadOf(numbers: readonly number[]): Spread {
  const sorted = numbers.toSorted((a, b) => a - b)
  const at = (part: number): number => sorted[Math.floor((sorted.length - 1) * part)] ?? 0
  return { least: at(0), median: at(0.5), most: at(1) }
}

/** One line of counts; those that are usually zero only when they are not. */
export function liveLine(summary: Summary): string {
  const seconds = `${Math.floor(summary.elapsedMs / 1_000)} s`.padStart(7)
  const connected = `${summary.connected}/${summary.devices} connected`
  const parts = [
    `${summary.published} published`,
    `${summary.acknowledged} acknowledged`,
    ...(summary.sent > 0 ? [`${summary.sent} sent`] : []),
    `${summary.outstanding} outstanding`,
    ...(summary.garbageSent > 0 ? [`${summary.garbageSent} garbage`] : []),
    ...(summary.dropped > 0 ? [`${summary.dropped} dropped`] : []),
  ]
  return `${seconds}  ${connected}  ${parts.join('  ')}`
}

export function closingWords(summary: Summary, rates: Rates | undefined): string {
  const rows: [string, number, string][] = [
    [
      'readings',
      summary.readings,
      `measured by ${summary.devices} devices in ${(summary.elapsedMs / 1_000).toFixed(1)} s`,
    ],
    ['acknowledged', summary.readingsAcknowledged, 'readings, by their first PUBACK or PUBCOMP'],
    ['sent', summary.readingsSent, 'readings of QoS 0: nobody says whether they arrived'],
    ['outstanding', summary.outstanding, 'readings without an acknowledgement when the fleet ended'],
    ['dropped', summary.dropped, 'readings that found the outbox full'],
    ['missed', summary.missed, 'readings not taken, because this process was held up'],
    ['packets', summary.published, `published, ${summary.acknowledged} of them acknowledged`],
    [
      'resent',
      summary.resent,
      `packets: ${summary.resentCopies} copies, ${summary.resentUnacknowledged} for want of an ack`,
    ],
    ['garbage', summary.garbageSent, `packets, ${summary.garbageAcknowledged} of them acknowledged`],
    ['announced', summary.announced, 'packets beside readings: births, presence, chatter'],
    ['skipped', summary.faultsSkipped, 'faults left out because the outbox was full'],
    ['reconnects', summary.reconnects, `after ${summary.connections - summary.reconnects} first connections`],
    ['refused', summary.connectFailures, 'attempts to connect'],
  ]
  const always = new Set(['readings', 'acknowledged', 'outstanding', 'packets'])
  const lines = rows
    .filter(([name, number]) => number > 0 || always.has(name))
    .map(([name, number, words]) => `${name.padEnd(13)}${String(number).padStart(9)}  ${words}`)
  return [...lines, ...(rates ? rateLines(rates) : [])].join('\n')
}

function rateLines(rates: Rates): string[] {
  const line = (name: string, { least, median, most }: Spread): string =>
    `${name.padEnd(13)}${String(median).padStart(9)}  per second, median of ${rates.seconds} s (least ${least}, most ${most})`
  return [line('published', rates.publishedPerSecond), line('acknowledged', rates.acknowledgedPerSecond)]
}
