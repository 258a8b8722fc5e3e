/** Rows of the table `devices`, read with care: a program of another version, or a person, may have written them. Pure. */
import type { Json } from '../reading.ts'
import type { Device, Why } from './registry.ts'

type Fields = Readonly<Record<string, Json | undefined>>

export type Restored = {
  readonly device: Device
  readonly lastMs: number
  readonly labels: Readonly<Record<string, string>>
  /** Its times are by a clock that nobody vouched for. */
  readonly isDoubtful: boolean
}

/** Undefined for what is no row of ours. */
export function deviceOfRow(value: Json | undefined): Restored | undefined {
  const row = fieldsOf(value)
  const { online, why, adapter, first_seen_ms: first, last_seen_ms: last, since_ms: since } = row ?? {}
  if (typeof first !== 'number' || typeof last !== 'number') return undefined
  return {
    device: {
      first: { wallMs: first },
      last: { wallMs: last },
      since: { wallMs: typeof since === 'number' ? since : last },
      adapter: typeof adapter === 'string' ? adapter : '',
      isOnline: online === true,
      why: isWhy(why) ? why : 'silence',
    },
    lastMs: last,
    labels: textsOf(fieldsOf(row?.['labels'])),
    isDoubtful: row?.['clock'] === 'untrusted',
  }
}

const isWhy = (why: Json | undefined): why is Why => why === 'reading' || why === 'presence' || why === 'silence'

function fieldsOf(value: Json | undefined): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined
}

function textsOf(fields: Fields | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields ?? {}).flatMap(([name, text]) => (typeof text === 'string' ? [[name, text]] : [])),
  )
}
