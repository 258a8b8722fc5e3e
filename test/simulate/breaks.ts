/**
 * Ways to break the product on purpose, each through a door: a simulator that finds nothing proves nothing, so its tests
 * break each promise once and see seeds fail.
 */
import { decodePosition, encodePosition } from '../../runtime/replication/wire/messages.ts'
import { decodePayload } from '../../runtime/replication/wire/payload.ts'
import { parseTopic } from '../../runtime/replication/wire/protocol.ts'
import type { StoreDoor } from '../../runtime/replication/store-door.ts'
import type { Json } from '../../runtime/reading.ts'
import type { Store } from '../../runtime/store/store.ts'
import type { Change, Entry, Receipt } from '../../runtime/store/types.ts'
import type { SimNode } from './node.ts'
import type { FaultKind } from './scenario.ts'

export type Break = {
  /** The weather in which it shows; left out, that of the seed. */
  readonly faults?: readonly FaultKind[]
  /** The store as the replication of a node sees it. */
  readonly wrapStore?: (store: Store) => StoreDoor
  /** What goes out instead of a message. Made anew for each run. */
  readonly tamper?: (nodes: ReadonlyMap<string, SimNode>) => (topic: string, payload: Buffer) => Buffer
}

const nothingDone: Receipt = { stored: 0, duplicates: 0, applied: 0, superseded: 0 }
const isPosition = (change: Change): change is Change & { kind: 'state' } =>
  change.kind === 'state' && change.owner.startsWith('position/')

/** The store with some of its methods replaced: a class with private parts has no other copy of itself. */
function withMethods(store: Store, methods: Partial<StoreDoor>): StoreDoor {
  return new Proxy(store, {
    get: (target, name) => {
      const own = (methods as Record<string | symbol, unknown>)[name]
      if (own !== undefined) return own
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

/** The receiver answers when it has a frame, and not when the frame is on the disk. */
function answerBeforeCommit(store: Store): StoreDoor {
  const ahead = new Map<string, Json>()
  return withMethods(store, {
    commit: (changes, urgency) => {
      const position = changes.find(isPosition)
      const done = store.commit(changes, urgency)
      if (position?.value === undefined) return done
      ahead.set(`${position.owner}#${position.key}`, position.value)
      done.catch(() => undefined)
      return Promise.resolve(nothingDone)
    },
    state: (owner, key) => ahead.get(`${owner}#${key}`) ?? store.state(owner, key),
  })
}

/** The position of a peer is kept whatever database its numbers belong to. */
function forgetEpochs(store: Store): StoreDoor {
  const keyOf = (owner: string, key: string): string => (owner.startsWith('position/') ? 'any' : key)
  return withMethods(store, {
    commit: (changes, urgency) =>
      store.commit(
        changes.flatMap(change => (isPosition(change) ? [change, { ...change, key: 'any' }] : [change])),
        urgency,
      ),
    state: (owner, key) => store.state(owner, keyOf(owner, key)),
  })
}

/** Nobody remembers from whom an entry came. */
function forgetVia(store: Store): StoreDoor {
  return withMethods(store, {
    read: async (table, after, limit) =>
      (await store.read(table, after, limit)).map((entry): Entry => ({ ...entry, via: '' })),
  })
}

/** Position first, entries afterwards, in two commits. */
function twoCommits(store: Store): StoreDoor {
  return withMethods(store, {
    commit: async (changes, urgency) => {
      const positions = changes.filter(isPosition)
      if (positions.length === 0 || positions.length === changes.length) return store.commit(changes, urgency)
      await store.commit(positions, 'now')
      return store.commit(
        changes.filter(change => !isPosition(change)),
        urgency,
      )
    },
  })
}

/** Rows of one transaction are applied one by one. */
function splitTransactions(store: Store): StoreDoor {
  return withMethods(store, {
    commit: async (changes, urgency) => {
      for (const change of changes) {
        if (change.kind !== 'apply-records') continue
        for (const record of change.records) await store.commit([{ ...change, records: [record] }], 'now')
      }
      return store.commit(changes, urgency)
    },
  })
}

/** The gateway's cursor moves when a frame is sent, not when it is confirmed. */
const cursorOnSend: Break['tamper'] = nodes => (topic, payload) => {
  const parsed = parseTopic(topic)
  if (parsed?.name !== 'entries' || parsed.direction !== 'up') return payload
  const store = nodes.get(parsed.gateway)?.store
  const kind = store?.tables.get(parsed.table)?.kind
  const decoded = kind && decodePayload(payload, kind)
  if (store === undefined || decoded?.ok !== true) return payload
  const seq = decoded.value.last
  void store.commit([{ kind: 'cursor', name: `bridge/cloud/${parsed.table}`, seq }], 'now').catch(() => undefined)
  return payload
}

/** Every answer counts, however old the question. */
const dropRuns: Break['tamper'] = nodes => {
  const runs = new Map<string, number>()
  return (topic, payload) => {
    const parsed = parseTopic(topic)
    if (parsed?.name === 'entries') {
      const kind = nodes.get('hub')?.options.tables.find(({ name }) => name === parsed.table)?.kind
      const decoded = decodePayload(payload, kind ?? 'records')
      const other = parsed.direction === 'up' ? 'down' : 'up'
      if (decoded.ok) runs.set(`${parsed.gateway} ${other} ${parsed.table}`, decoded.value.run)
      return payload
    }
    if (parsed?.name !== 'position') return payload
    const decoded = decodePosition(payload)
    if (!decoded.ok) return payload
    const run = runs.get(`${parsed.gateway} ${parsed.direction} ${parsed.table}`) ?? decoded.value.run
    return encodePosition({ ...decoded.value, run })
  }
}

/** Each breaks one promise; what it breaks is its name. */
export const breaks = {
  'answers before the commit': { wrapStore: answerBeforeCommit },
  'moves the cursor when it sends': { tamper: cursorOnSend },
  'ignores the epoch of a database': { wrapStore: forgetEpochs, faults: ['old-copy'] },
  'goes back for every late answer': { tamper: dropRuns, faults: ['disk-errors', 'lag', 'repeat'] },
  'sends entries back to where they came from': { wrapStore: forgetVia },
  'commits the position apart from the entries': { wrapStore: twoCommits, faults: ['kill', 'disk-errors'] },
  'applies a transaction row by row': { wrapStore: splitTransactions, faults: ['disk-slow', 'kill'] },
} as const satisfies Record<string, Break>
