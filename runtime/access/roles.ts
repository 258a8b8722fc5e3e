/**
 * Roles, and what they let one client do. A role has patterns for what is published, what is subscribed to, and the
 * devices that readings may be of; `{user}` and `{client}` in them stand for who the client is. Pure.
 *
 * Promises: what no role allows is refused; a name that could be taken for a wildcard or for several levels fits no
 * pattern; topics of `holdfast/` are the gateway's own, whatever a role says.
 */
import { covers, type Pattern, patternOf } from './filters.ts'
import { verdictsMax } from './limits.ts'

export type Role = {
  readonly publish: readonly string[]
  readonly subscribe: readonly string[]
  /** Undefined: of any. */
  readonly devices: readonly string[] | undefined
}

export type Roles = ReadonlyMap<string, Role>

export type Rights = {
  readonly mayPublish: (topic: string) => boolean
  readonly maySubscribe: (filter: string) => boolean
  readonly mayReceive: (topic: string) => boolean
  readonly mayName: ((device: string) => boolean) | undefined
}

/** Undefined is nobody in particular: patterns that ask for it fit nothing. */
export type Names = { readonly user: string | undefined; readonly client: string | undefined }

/** What all these roles together allow. */
export function rightsOf(roles: readonly Role[], names: Names): Rights {
  const patterns = (of: (role: Role) => readonly string[]): Pattern[] =>
    roles.flatMap(role => of(role).flatMap(text => filled(text, names)))
  const publish = patterns(({ publish }) => publish)
  const subscribe = patterns(({ subscribe }) => subscribe)
  return {
    mayPublish: remembered(topic => !isGatewaysOwn(topic) && covers(publish, topic)),
    maySubscribe: filter => covers(subscribe, filter),
    mayReceive: remembered(topic => covers(subscribe, topic)),
    mayName: deviceTest(roles, names),
  }
}

/** What the gateway says of itself nobody else may say. */
const isGatewaysOwn = (topic: string): boolean => topic.startsWith('holdfast/') || topic === 'holdfast'

/** The pattern with its names, or nothing if a name is missing or cannot stand there. */
function filled(text: string, names: Names): Pattern[] {
  const levels = patternOf(text).map((level, index) => {
    const name = level === '{user}' ? names.user : level === '{client}' ? names.client : undefined
    if (level !== '{user}' && level !== '{client}') return level
    return name !== undefined && isOneLevel(name, index === 0) ? name : undefined
  })
  return levels.includes(undefined) ? [] : [levels.filter(level => level !== undefined)]
}

/** As the first level `$SYS` would be no name. */
const isOneLevel = (name: string, isFirst: boolean): boolean =>
  name !== '' && !/[/+#]/.test(name) && !(isFirst && name.startsWith('$'))

function deviceTest(roles: readonly Role[], names: Names): ((device: string) => boolean) | undefined {
  const tests: ((device: string) => boolean)[] = []
  for (const { devices } of roles) {
    if (devices === undefined) return undefined
    tests.push(...devices.flatMap(text => deviceFit(text, names)))
  }
  return remembered(device => tests.some(test => test(device)))
}

/** `*` stands for any characters. */
function deviceFit(text: string, { user, client }: Names): ((device: string) => boolean)[] {
  if ((text.includes('{user}') && user === undefined) || (text.includes('{client}') && client === undefined)) return []
  // Taken apart before names are filled in: a `*` in a name is only a character.
  const parts = text
    .split('*')
    .map(part => part.replaceAll('{user}', () => user ?? '').replaceAll('{client}', () => client ?? ''))
  const [first = '', ...rest] = parts
  const last = rest.pop()
  if (last === undefined) return [device => device === first]
  return [
    device => {
      if (device.length < first.length + last.length || !device.startsWith(first) || !device.endsWith(last))
        return false
      let at = first.length
      for (const part of rest) {
        const found = device.indexOf(part, at)
        if (found === -1) return false
        at = found + part.length
      }
      return at <= device.length - last.length
    },
  ]
}

/** Remembers the answers to what is asked again and again; starts afresh when they become too many. */
function remembered(judge: (text: string) => boolean): (text: string) => boolean {
  const verdicts = new Map<string, boolean>()
  return text => {
    let verdict = verdicts.get(text)
    if (verdict === undefined) {
      verdict = judge(text)
      if (verdicts.size >= verdictsMax) verdicts.clear()
      verdicts.set(text, verdict)
    }
    return verdict
  }
}
