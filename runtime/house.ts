/** What the parts of the composition root share while a gateway opens. */
import type { Config } from './config/config.ts'
import type { Log } from './log.ts'
import type { GatewayTime } from './time.ts'

/** The house while it opens: what is open so far is closed in reverse. */
export type House = {
  readonly config: Config
  readonly log: Log
  readonly closers: (() => Promise<void>)[]
  readonly time: GatewayTime
}
