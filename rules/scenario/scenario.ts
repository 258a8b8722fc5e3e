/** What a test is once its file has been read and found good: every default filled in, times in milliseconds. Types. */
import type { Json, Value } from '../../runtime/reading.ts'
import type { SeriesRef } from './names.ts'

/** A name and a time of the file, kept as they were written: failures speak in the words of the file. */
export type Moment = { readonly text: string; readonly ms: number }

export type InputReading = {
  readonly table: string
  readonly device: string
  readonly metric: string
  readonly unit: string | undefined
  readonly value: Value
  /** When it was measured, and when it reaches the gateway: true time, whatever the gateway's clock shows. */
  readonly measuredMs: number
  readonly arrivalMs: number
  readonly tellsTime: boolean
}

export type Happening = { readonly atMs: number } & (
  | { readonly kind: 'row'; readonly table: string; readonly key: string; readonly row: Json | undefined }
  | {
      readonly kind: 'off'
      readonly untilMs: number
      readonly keepsReadings: boolean
      readonly isCrash: boolean
    }
  | { readonly kind: 'jump'; readonly byMs: number }
  | {
      readonly kind: 'ack'
      readonly alertname: string
      readonly device: string | undefined
      readonly metric: string | undefined
      readonly by: string
      readonly comment: string
    }
  | {
      readonly kind: 'silence'
      readonly id: string
      readonly untilMs: number
      readonly match: Json
      readonly by: string
      readonly comment: string
    }
)

export type ExpectedSnippet = {
  readonly count: number | undefined
  readonly bytesMax: number | undefined
  readonly from: Moment | undefined
  readonly to: Moment | undefined
  readonly thinned: boolean | undefined
  readonly series: readonly string[] | undefined
}

/** Undefined is "not looked at". */
export type ExpectedAlert = {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly state: 'pending' | 'firing' | 'latched' | 'resolved' | undefined
  readonly value: Json | undefined
  readonly threshold: number | null | undefined
  readonly since: Moment | undefined
  readonly firedAt: Moment | undefined
  readonly resolvedAt: Moment | undefined
  readonly late: boolean
  readonly flapping: boolean | undefined
  readonly silenced: boolean | undefined
  readonly acked: boolean | undefined
  readonly snippet: ExpectedSnippet | undefined
}

export type Expectation = { readonly at: Moment } & (
  | { readonly kind: 'alerts'; readonly alertname: string | undefined; readonly alerts: readonly ExpectedAlert[] }
  | {
      readonly kind: 'readings'
      readonly series: readonly {
        readonly series: SeriesRef
        readonly table: string
        readonly values: readonly Value[]
      }[]
    }
  | {
      readonly kind: 'published'
      readonly topic: string | undefined
      readonly messages: readonly { readonly topic: string; readonly payload: Json | undefined }[]
    }
)

export type Scenario = {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly name: string
  readonly startMs: number
  readonly zone: string
  readonly ruleFiles: readonly string[]
  /** Each in the order in which they come to pass. */
  readonly readings: readonly InputReading[]
  readonly happenings: readonly Happening[]
  readonly expectations: readonly Expectation[]
}
