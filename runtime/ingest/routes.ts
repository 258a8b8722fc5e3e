/**
 * Which route takes a topic: the first whose pattern fits, remembered per topic. Pure but for what it remembers.
 */
import type { Adapter, Levels } from '../../adapters/adapter.ts'
import type { TopicPattern } from '../../adapters/topic.ts'

export type Route = { readonly pattern: TopicPattern; readonly adapter: Adapter; readonly table: string }

/** Where the messages of one topic go. */
export type Destination = { readonly route: Route; readonly levels: Levels }

/** Topics remembered; a device that invents topics only costs the others a match. */
const topicsMax = 10_000

export class Routes {
  readonly #routes: readonly Route[]
  readonly #known = new Map<string, Destination | undefined>()

  constructor(routes: readonly Route[]) {
    this.#routes = routes
  }

  find(topic: string): Destination | undefined {
    if (this.#known.has(topic)) return this.#known.get(topic)
    const found = this.#match(topic)
    if (this.#known.size >= topicsMax) this.#known.clear()
    this.#known.set(topic, found)
    return found
  }

  #match(topic: string): Destination | undefined {
    for (const route of this.#routes) {
      const levels = route.pattern.match(topic)
      if (levels) return { route, levels }
    }
    return undefined
  }
}
