/**
 * Fuzzing by the million: conversations of mutated packets against the broker in this process, on each engine that it has,
 * and what becomes of memory meanwhile.
 */
import { bytesInUse } from '../bench/memory.ts'
import { type Figure, figure } from '../bench/report.ts'
import { fuzz } from '../broker/fuzz.ts'

export type Fuzzing = {
  readonly figures: readonly Figure[]
  readonly problems: readonly string[]
  readonly causes: string
}

/** What stays is compared with what there was after the first tenth, when everything had been met once. */
const growthMost = 1.5

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
    let early = 0
    let tenths = 0
    const fuzzed = await fuzz({
      seed,
      packets,
      atOnce: 24,
      mqtt5,
      onProgress: done => {
        if (early === 0 && done > packets / 10) early = bytesInUse()
        for (; tenths < (done / packets) * 10; tenths++) onProgress(engine, tenths / 10)
      },
    })
    const late = bytesInUse()
    const refused = Object.entries(fuzzed.counters).filter(([name]) => name.startsWith('refused_'))
    causes.push(`${engine}: ${refused.map(([name, count]) => `${name.replace('refused_', '')}: ${count}`).join(', ')}`)
    problems.push(...fuzzed.problems.map(problem => `fuzz, ${engine}: ${problem}`))
    const none = { text: 'at most 0', holds: (count: number) => count === 0 }
    const grows = { text: `at most ${growthMost}`, holds: (ratio: number) => ratio <= growthMost }
    figures.push(
      figure(`fuzz, ${engine}: packets`, fuzzed.packets),
      figure(`fuzz, ${engine}: connections`, fuzzed.conversations),
      figure(`fuzz, ${engine}: refused, by cause`, sum(refused.map(([, count]) => count))),
      figure(`fuzz, ${engine}: honest readings acknowledged`, fuzzed.honest),
      figure(`fuzz, ${engine}: problems`, fuzzed.problems.length, null, none),
      figure(`fuzz, ${engine}: memory at the end / after a tenth`, late / early, null, grows),
    )
  }
  return { figures, problems, causes: causes.join('\n') }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
