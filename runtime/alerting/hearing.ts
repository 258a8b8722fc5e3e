/** Tables that a watcher listens to besides its own: what comes there changes what stands, without any reading. Types only. */
import type { Judge } from '../../rules/judge/judge.ts'
import type { Judgement } from '../../rules/judge/verdict.ts'

export type Hearing = {
  /** False: nobody asks, or there is no such table. Then it is not listened to. */
  readonly isNeeded: boolean
  /** True while there is something that the judge has not been told. */
  readonly isWaiting: boolean
  /** Tells it what has come. */
  tell(judge: Judge): Promise<readonly Judgement[]>
  /** Resolves when more has come, or the signal aborts. */
  wait(signal: AbortSignal): Promise<void>
}
