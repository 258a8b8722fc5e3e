/**
 * Fuzzing by the million: conversations of mutated packets against the broker in this process, on each engine that it has,
 * and what becomes of memory meanwhile.
 */
import { bytesInUse } from '../bench/memory.ts'
import { type Figure, figure } from '../bench/report.ts'
import { pause } from '../end-to-end/programs.ts'
import { fuzz } from '../broker/fuzz.ts'

export type Fuzzing = {
  readonly figures: readonly Figure[]
  readonly problems: readonly string[]
  readonly causes: string
}

/** The second half may need no more than the first: by then every queue is as full as its limit lets it be. */
const growthMost = 1.2
/** What may be left when the broker has closed: this process's own code and what it has warmed up. */
const leftMostMb = 24
/** Until timers of connections that are gone have let go of them. */
const letGoMs = 6_000

export async function fuzzing(
  seed: number,
  packets: number,
  onProgress: (engine: string, share: number) => void,
): Promise<Fuzzing> {
  const figures: Figure[] = []
  const problems: string[] = []
  const causes: string[] = []
  for (const mqtt5 of [false, true]) {
    const engine = mqtt5 ? 'MQTT 5' : 'MQTT 3.1.1'
    const before = bytesInUse()
    let [half, whole, tenths] = [0, 0, 0]
    const fuzzed = await fuzz({
      seed,
      packets,
      atOnce: 24,
      mqtt5,
      onProgress: done => {
        for (; tenths < Math.floor((done / packets) * 10); tenths++) {
          whole = bytesInUse() - before
          if (tenths < 5) half = Math.max(half, whole)
          onProgress(engine, (tenths + 1) / 10)
        }
      },
    })
    await pause(letGoMs)
    const left = bytesInUse() - before
    const refused = Object.entries(fuzzed.counters).filter(([name]) => name.startsWith('refused_'))
    causes.push(`${engine}: ${refused.map(([name, count]) => `${name.replace('refused_', '')}: ${count}`).join(', ')}`)
    problems.push(...fuzzed.problems.map(problem => `fuzz, ${engine}: ${problem}`))
    const none = { text: 'at most 0', holds: (count: number) => count === 0 }
    const few = { text: `at most ${leftMostMb} MB`, holds: (bytes: number) => bytes <= leftMostMb }
    const grows = { text: `at most ${growthMost}`, holds: (ratio: number) => ratio <= growthMost }
    figures.push(
      figure(`fuzz, ${engine}: packets`, fuzzed.packets),
      figure(`fuzz, ${engine}: connections`, fuzzed.conversations),
      figure(`fuzz, ${engine}: refused, by cause`, sum(refused.map(([, count]) => count))),
      figure(`fuzz, ${engine}: honest readings acknowledged`, fuzzed.honest),
      figure(`fuzz, ${engine}: problems`, fuzzed.problems.length, null, none),
      figure(`fuzz, ${engine}: memory at the end, MB`, whole / 2 ** 20),
      figure(`fuzz, ${engine}: memory at the end / in the first half`, whole / half, null, grows),
      figure(`fuzz, ${engine}: memory left behind, MB`, left / 2 ** 20, null, few),
    )
  }
  return { figures, problems, causes: causes.join('\n') }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
