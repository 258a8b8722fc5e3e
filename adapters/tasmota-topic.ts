/**
 * Tasmota's FullTopic, read backwards: which device a topic is of, and what it tells. Tokens fill their level, as in all
 * the examples of its documentation; what stands behind the FullTopic says what the message is.
 */
import { z } from 'zod'

const tokens = ['%prefix%', '%topic%', '%hostname%', '%id%']
const deviceTokens: ReadonlySet<string> = new Set(tokens.slice(1))

export const tasmotaTopic = z
  .string()
  .max(128)
  .superRefine((text, context) => {
    const message = topicFault(fullTopicLevels(text))
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  })
  .default('%prefix%/%topic%/')
  .describe('FullTopic of the devices: %prefix%, one of %topic%, %hostname% and %id%, and fixed levels.')

function topicFault(levels: readonly string[]): string | undefined {
  if (levels.some(level => level === '' || /[+#]/.test(level))) return 'it has an empty level, or one with + or #'
  const mixed = levels.find(level => level.includes('%') && !tokens.includes(level))
  if (mixed !== undefined) return `"${mixed}": a token is one of ${tokens.join(', ')} and fills its level`
  if (levels.filter(level => level === '%prefix%').length !== 1) return 'it needs %prefix% once'
  if (levels.filter(level => deviceTokens.has(level)).length !== 1)
    return 'it needs one of %topic%, %hostname% and %id%'
  return undefined
}

/** The levels of a FullTopic, which may or may not end with a slash. */
export function fullTopicLevels(fullTopic: string): string[] {
  const levels = fullTopic.split('/')
  return levels.at(-1) === '' ? levels.slice(0, -1) : levels
}

type Split = { readonly prefix: string; readonly device: string; readonly what: string }

export function splitTopic(fullTopic: readonly string[], topic: string): Split | undefined {
  const levels = topic.split('/')
  if (levels.length <= fullTopic.length) return undefined
  let prefix = ''
  let device = ''
  for (const [index, expected] of fullTopic.entries()) {
    const level = levels[index] ?? ''
    if (expected === '%prefix%') prefix = level
    else if (deviceTokens.has(expected)) device = level
    else if (level !== expected) return undefined
  }
  return { prefix, device, what: levels.at(-1) ?? '' }
}
