/**
 * Holds the manners of the house: who may import whom, where each package lives, and what has no place anywhere.
 *
 * Promises: pure (files in, problems out); every message says what to do instead. The rules are the one table below:
 * to change a manner, change its row, and ARCHITECTURE.md in the same commit.
 */
import { lineAt, packageOf, readSource, type Source, targetOf } from './source.ts'

/** A large room has floors: a folder imports the folders below it that its entry names, and the contracts of the room. */
function floorsOf(
  room: string,
  mayImport: readonly string[],
  floors: Readonly<Record<string, readonly string[]>>,
): Readonly<Record<string, Room>> {
  const contracts = ['limits', 'stream', 'time', 'store-door', 'clock-door', 'noted', 'far-side']
  return Object.fromEntries(
    Object.entries(floors).map(([floor, below]) => [
      `${room}/${floor}`,
      {
        floor: true,
        mayImport: [
          ...mayImport,
          ...below.map(name => `${room}/${name}`),
          ...contracts.map(name => `${room}/${name}.ts`),
        ],
      },
    ]),
  )
}

/** The same for a pure room. */
function pureFloorsOf(
  room: string,
  contracts: readonly string[],
  floors: Readonly<Record<string, readonly string[]>>,
): Readonly<Record<string, Room>> {
  const shared = contracts.map(name => `${room}/${name}.ts`)
  return Object.fromEntries(
    Object.entries(floors).map(([floor, below]) => [
      `${room}/${floor}`,
      { floor: true, pure: true, mayImport: [...shared, ...below.map(name => `${room}/${name}`)] },
    ]),
  )
}

export const house = {
  /** The folders whose manners are checked, and where reading begins: what no beginning reaches is dead. */
  folders: ['adapters', 'rules', 'runtime', 'firmware-sim'],
  beginnings: ['runtime/main.ts', 'firmware-sim/main.ts'],

  /** Small files that anybody may import and that import nothing of the project but each other. */
  leaves: [
    'reading',
    'stamp',
    'units',
    'errors',
    'log',
    'limits',
    'broker-limits',
    'document',
    'version',
    'schedule',
    'topic-template',
    'payload-template',
    'yaml-text',
    'lan-address',
  ].map(name => `runtime/${name}.ts`),
  /** The leaves that pure rooms may import: they do nothing by themselves. */
  pureLeaves: ['reading', 'units', 'limits', 'document', 'schedule'].map(name => `runtime/${name}.ts`),
  /** Built-in modules that do nothing by themselves either. */
  pureModules: ['node:buffer'],

  /** A room is a folder, or a file of runtime that is no leaf. It may import itself, leaves, and what its row says. */
  rooms: {
    adapters: { pure: true, mayImport: [] },
    rules: { pure: true, mayImport: [] },
    ...pureFloorsOf('rules', ['rule', 'match', 'limits'], {
      expression: [],
      judge: ['expression'],
      alert: ['expression', 'judge'],
      language: ['expression', 'judge', 'alert'],
      scenario: ['expression', 'judge', 'alert', 'language'],
    }),
    'runtime/store': { mayImport: [] },
    'runtime/clock': { mayImport: [] },
    'runtime/sources': { mayImport: ['runtime/store', 'runtime/replication/link', 'runtime/replication/time.ts'] },
    'runtime/timekeeping': { mayImport: ['runtime/store', 'runtime/clock'] },
    'runtime/identity': { mayImport: [] },
    'runtime/config': { mayImport: ['adapters', 'rules'] },
    'runtime/broker': { mayImport: [] },
    'runtime/access': { mayImport: [] },
    'runtime/ingest': { mayImport: ['runtime/store', 'adapters'] },
    'runtime/discovery': { mayImport: ['runtime/store'] },
    'runtime/devices': { mayImport: ['runtime/store', 'adapters'] },
    'runtime/alerting': { mayImport: ['runtime/store', 'rules'] },
    'runtime/replication': { mayImport: ['runtime/store', 'runtime/clock'] },
    ...floorsOf('runtime/replication', ['runtime/store', 'runtime/clock'], {
      wire: [],
      link: ['wire'],
      lanes: ['wire'],
      parked: ['wire'],
      send: ['wire', 'lanes', 'parked'],
      receive: ['wire', 'parked'],
      plain: ['wire', 'link', 'lanes', 'parked', 'send'],
    }),
    'runtime/rehearsal': { mayImport: ['runtime', 'rules', 'adapters'] },
    'runtime/rollup': { mayImport: ['runtime/store'] },
    'runtime/retention': { mayImport: ['runtime/store'] },
    'runtime/transfer': { mayImport: ['runtime/store', 'adapters'] },
    'runtime/backup': { mayImport: ['runtime/store'] },
    'runtime/api': { mayImport: ['runtime/store', 'runtime/transfer'] },
    'runtime/cloud': { mayImport: ['runtime/store', 'runtime/replication'] },
    'runtime/commands': { mayImport: ['runtime', 'adapters', 'rules', 'firmware-sim'] },
    'runtime/gateway.ts': { mayImport: ['runtime', 'adapters', 'rules'] },
    'runtime/streams.ts': { mayImport: ['runtime', 'rules'] },
    'runtime/identities.ts': { mayImport: ['runtime'] },
    'runtime/alerts.ts': { mayImport: ['runtime'] },
    'runtime/bridges.ts': { mayImport: ['runtime'] },
    'runtime/discovered.ts': { mayImport: ['runtime'] },
    'runtime/holding.ts': { mayImport: ['runtime'] },
    'runtime/house.ts': { mayImport: ['runtime'] },
    'runtime/intake.ts': { mayImport: ['runtime', 'adapters'] },
    'runtime/sources.ts': { mayImport: ['runtime', 'adapters'] },
    'runtime/status.ts': { mayImport: ['runtime'] },
    'runtime/time.ts': { mayImport: ['runtime'] },
    'runtime/main.ts': { mayImport: ['runtime'] },
    'runtime/visitors.ts': { mayImport: ['runtime'] },
    'firmware-sim': { noLeaves: true, mayImport: [] },
  } as Readonly<Record<string, Room>>,

  /** Where each npm package lives: a folder or a file. What is not here is not used. */
  packages: {
    aedes: ['runtime/broker'],
    aedes5: ['runtime/broker'],
    'aedes-persistence': ['runtime/broker'],
    ws: ['runtime/broker'],
    'classic-level': ['runtime/store'],
    'abstract-level': ['runtime/store'],
    level: ['runtime/store'],
    'cbor-x': ['runtime/replication', 'runtime/store', 'adapters'],
    mqtt: ['runtime/replication', 'runtime/sources', 'firmware-sim'],
    jsmodbus: ['runtime/sources'],
    yaml: ['runtime/yaml-text.ts', 'firmware-sim'],
    '@bufbuild/protobuf': ['adapters'],
    zod: ['runtime/document.ts', 'runtime/config', 'rules', 'adapters', 'firmware-sim'],
    pino: ['runtime/log.ts'],
    hono: ['runtime/api'],
    'prom-client': ['runtime/api'],
    '@hono/node-server': ['runtime/api'],
    commander: ['runtime/commands', 'runtime/main.ts'],
    chokidar: ['runtime/alerting', 'runtime/gateway.ts'],
    'node-cron': ['runtime/schedule.ts'],
    '@marcbachmann/cel-js': ['rules'],
  } as Readonly<Record<string, readonly string[]>>,

  /** Words that have one home. */
  words: [
    {
      pattern: /\bDate\s*\.\s*now\b|\bnew\s+Date\s*(?:\(\s*\)|(?![\s\w(]))|(?<![\w.]|new\s+)Date\s*\(/g,
      home: ['runtime/clock', 'firmware-sim/clock.ts'],
      instead: 'take `now: () => number` as an argument; runtime/clock has the real one',
    },
    {
      pattern: /\bprocess\s*\.\s*env\b/g,
      home: ['runtime/config'],
      instead: 'take the value as an argument; runtime/config alone reads the environment',
    },
    {
      pattern: /\bexport\s+default\b|\bas\s+default\b/g,
      home: [],
      instead: 'export it by its name, so that it is called the same everywhere',
    },
    {
      pattern: /\brejectUnauthorized\s*:\s*false\b|\bNODE_TLS_REJECT_UNAUTHORIZED\b|\bcheckServerIdentity\b/g,
      home: [],
      instead:
        'name the authority in tls.ca, or the name in tls.server_name: what the far side shows is always verified',
    },
  ],
  /** What pure rooms must not do [I8]: they get it as an argument. */
  impure: /\b(?:setTimeout|setInterval|setImmediate|queueMicrotask|fetch|performance|Math\s*\.\s*random|process)\b/g,

  folderNamesForbidden: ['utils', 'util', 'common', 'helpers', 'types'],
  linesMax: 400,
}

type Room = {
  readonly mayImport: readonly string[]
  readonly pure?: true
  readonly noLeaves?: true
  /** A folder inside a room. */
  readonly floor?: true
}
export type Problem = { readonly file: string; readonly line: number; readonly message: string }

/** All problems of a tree of files (path to text). Files under `test/` are only looked at for what they reach. */
export function check(files: ReadonlyMap<string, string>): readonly Problem[] {
  const sources = [...files].map(([path, text]) => readSource(path, text))
  const own = sources.filter(source => isIn(source.path, house.folders))
  const byPath = new Map(sources.map(source => [source.path, source]))
  return [
    ...own.flatMap(source => [
      ...checkShape(source),
      ...checkImports(source, byPath),
      ...checkPackages(source),
      ...checkWords(source),
    ]),
    ...checkCycles(own),
    ...checkDead(own, sources, byPath),
  ]
}

function checkShape(source: Source): Problem[] {
  const problems: Problem[] = []
  const say = (message: string): void => void problems.push({ file: source.path, line: 1, message })
  const folders = source.path.split('/').slice(0, -1)
  const bad = folders.find(name => house.folderNamesForbidden.includes(name))
  if (bad)
    say(
      `a folder named ${bad} says nothing: name it after what its files answer, or move them to the room that uses them`,
    )
  if (!roomOf(source.path)) {
    say(
      `${source.path} is in no room: move it into one, or give it a row in the table of test/tidy/check.ts and of ARCHITECTURE.md`,
    )
  }
  const words = source.code.replace(
    /\bexport\b[^;\n]*?\bfrom\s*(['"])\s*\1|\bexport\s*\{[^}]*\}\s*from\s*(['"])\s*\2/g,
    '',
  )
  const onlyPassesOn = source.imports.length > 0 && words.trim() === ''
  if (/(^|\/)index\.ts$/.test(source.path) || onlyPassesOn) {
    say('a barrel hides where things live: delete it, and import each name from the file that defines it')
  }
  if (source.lines > house.linesMax) {
    say(
      `${source.lines} lines are more than ${house.linesMax}: split the file along its own seam, where two halves know little of each other`,
    )
  }
  return problems
}

function checkImports(source: Source, byPath: ReadonlyMap<string, Source>): Problem[] {
  const room = roomOf(source.path)
  if (!room) return []
  const rules = house.rooms[room]
  const isLeaf = rules === undefined
  const allowed = isLeaf ? house.leaves : [room, ...rules.mayImport, ...leavesFor(rules)]
  const problems: Problem[] = []
  for (const { specifier, line } of source.imports) {
    const say = (message: string): void => void problems.push({ file: source.path, line, message })
    const target = targetOf(source.path, specifier)
    if (target === undefined) {
      if (rules?.pure && specifier.startsWith('node:') && !house.pureModules.includes(specifier)) {
        say(`${room} is pure and may not import ${specifier} [I8]: take what it gives as an argument`)
      }
    } else if (isIn(target, ['test'])) {
      say(`${source.path} imports ${target}: code never imports tests; move what both need into the room`)
    } else if (target.endsWith('.ts') && !byPath.has(target)) {
      say(`${specifier} is no file of the project: correct the path`)
    } else if (!isIn(target, allowed)) {
      say(`${nameOf(room, isLeaf)} may not import ${target}: ${insteadOf(room, isLeaf, target)}`)
    }
  }
  return problems
}

function checkPackages(source: Source): Problem[] {
  const problems: Problem[] = []
  for (const { specifier, line } of source.imports) {
    if (specifier.startsWith('.') || specifier.startsWith('node:')) continue
    const name = packageOf(specifier)
    const homes = Object.hasOwn(house.packages, name) ? house.packages[name] : undefined
    if (!homes) {
      const message = `the package ${name} has no home: use one that has, or give it a row in the table of test/tidy/check.ts`
      problems.push({ file: source.path, line, message })
    } else if (!isIn(source.path, homes)) {
      const message = `the package ${name} lives in ${homes.join(' and ')} alone: ask that room for what you need`
      problems.push({ file: source.path, line, message })
    }
  }
  return problems
}

function checkWords(source: Source): Problem[] {
  const problems: Problem[] = []
  for (const { pattern, home, instead } of house.words) {
    if (isIn(source.path, home)) continue
    for (const match of source.code.matchAll(pattern)) {
      const where = home.length > 0 ? `belongs in ${home.join(' and ')} alone` : 'has no place here'
      problems.push({
        file: source.path,
        line: lineAt(source.code, match.index),
        message: `\`${match[0].trim()}\` ${where}: ${instead}`,
      })
    }
  }
  const room = roomOf(source.path)
  if (room && house.rooms[room]?.pure) {
    for (const match of source.code.matchAll(house.impure)) {
      const message = `${room} is pure and may not use ${match[0]} [I8]: take what it gives as an argument`
      problems.push({ file: source.path, line: lineAt(source.code, match.index), message })
    }
  }
  return problems
}

/** One problem for each knot of files that import each other, type-only imports included. */
function checkCycles(own: readonly Source[]): Problem[] {
  const targets = new Map(own.map(source => [source.path, targetsOf(source)]))
  const problems: Problem[] = []
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path)
    if (start >= 0) {
      const cycle = [...trail.slice(start), path].join(' -> ')
      problems.push({
        file: path,
        line: 1,
        message: `imports go in a circle, ${cycle}: move what both need into a file of its own`,
      })
    } else if (!done.has(path)) {
      for (const target of targets.get(path) ?? []) visit(target, [...trail, path])
      done.add(path)
    }
  }
  for (const source of own) visit(source.path, [])
  return problems
}

function checkDead(own: readonly Source[], all: readonly Source[], byPath: ReadonlyMap<string, Source>): Problem[] {
  const reached = new Set<string>()
  const reach = (path: string): void => {
    if (reached.has(path)) return
    reached.add(path)
    const source = byPath.get(path)
    if (source) targetsOf(source).forEach(reach)
  }
  house.beginnings.forEach(reach)
  for (const source of all) if (isIn(source.path, ['test'])) reach(source.path)
  const dead = own.filter(source => !reached.has(source.path))
  const message = `nothing reaches this file from ${house.beginnings.join(', ')} or a test: use it or delete it`
  return dead.map(source => ({ file: source.path, line: 1, message }))
}

const targetsOf = (source: Source): string[] =>
  source.imports.flatMap(({ specifier }) => targetOf(source.path, specifier) ?? [])

const isIn = (path: string, places: readonly string[]): boolean =>
  places.some(place => path === place || path.startsWith(`${place}/`))

/** The longest row that holds the file; the file itself for a leaf. */
function roomOf(path: string): string | undefined {
  if (house.leaves.includes(path)) return path
  const rooms = Object.keys(house.rooms).filter(room => isIn(path, [room]))
  return rooms.toSorted((a, b) => b.length - a.length)[0]
}

function leavesFor(room: Room): readonly string[] {
  if (room.noLeaves) return []
  return room.pure ? house.pureLeaves : house.leaves
}

const nameOf = (room: string, isLeaf: boolean): string => (isLeaf ? `the leaf ${room}` : room)

function insteadOf(room: string, isLeaf: boolean, target: string): string {
  if (isLeaf) return 'leaves import only leaves; move the need to the room that has it'
  const rules = house.rooms[room]
  if (rules?.floor) return 'a floor never imports one above it: move it down, or hand it over as an argument'
  if (rules?.noLeaves) return 'it speaks only MQTT, like a device; write what it needs in its own room'
  if (rules?.pure)
    return `pure rooms import only themselves and ${house.pureLeaves.join(', ')}; take the rest as an argument`
  if (!roomOf(target)) return 'it is in no room'
  return 'siblings meet only at the store; let runtime/gateway.ts hand it over as an argument'
}
