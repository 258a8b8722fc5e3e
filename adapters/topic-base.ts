/** The first levels of an ecosystem's topics, as its users may have set them. */
import { z } from 'zod'

/** `key` is what the ecosystem calls it. */
export function topicBase(key: string) {
  return z
    .string()
    .min(1)
    .max(128)
    .regex(/^[^\p{Cc}+#/]+(?:\/[^\p{Cc}+#/]+)*$/u, 'write levels joined by /, with none of + and #')
    .describe(`The first levels of its topics, as ${key} says there.`)
}
