/**
 * The endpoints, all under /api/v1:
 *
 *   GET    status                       what the gateway tells about itself
 *   GET    backup                       everything that is stored, of one moment (backup.ts)
 *   GET    metrics, /metrics            the same as numbers, in the text format of Prometheus (metrics.ts)
 *   POST   reload                       read the files again that may change while it runs
 *   GET    rules, rules/NAME            the rules in force, in plain words (rules.ts)
 *   POST   doctor; GET doctor           reading every file of the store, and what was found (damage.ts)
 *   POST   parked/retry, parked/drop    what to do about parked rows (parked.ts)
 *   GET    alerts; POST alerts/ack      which fire, and acknowledging them (alerts.ts)
 *   GET    silences; POST silences, silences/end
 *   GET    devices                      who is here (devices.ts)
 *   GET    tables                       name, kind and positions of each table
 *   GET    tables/T                     the same for one
 *   GET    tables/T/rows                rows of a records table          ?prefix= &limit=
 *   GET    tables/T/rows/KEY            one row
 *   PUT    tables/T/rows/KEY            writes it; the body is its value as JSON
 *   DELETE tables/T/rows/KEY            removes it
 *   GET    tables/T/readings, aggregate, latest    what is asked of the readings of a series table (readings.ts)
 *   POST   tables/T/readings, rows      takes in as many as there are, as JSON lines or a list (intake.ts)
 *   GET    tables/T/history             the same for a replay: dense, in log order       ?series= &from= &to=
 *   GET    tables/T/tail                entries as they are committed    ?from=now|beginning
 *
 * Lists are JSON lines (readers.ts); of rows and readings also CSV or one array, with ?format= (notation.ts). A change is answered once it is on disk [I1]. Names are looked up in maps and never
 * become part of a path on disk.
 */
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { nearestName } from '../document.ts'
import { HoldfastError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import { type Entry, type TableKind, type TableSpec, seqZero } from '../store/types.ts'
import { type AlertsDoor, alertsRoutes } from './alerts.ts'
import { backupRoutes, type Backups } from './backup.ts'
import { jsonBody } from './body.ts'
import { doctorRoutes } from './damage.ts'
import { type DevicesDoor, devicesRoutes } from './devices.ts'
import { bodyTooLarge, faultResponse, jsonResponse } from './faults.ts'
import { history } from './history.ts'
import { entryForm, rowForm } from './forms.ts'
import { intakeRoutes } from './intake.ts'
import { bodyBytesMax, entriesPerBatch, rowsPerBatch } from './limits.ts'
import { historyQuery, parseLimit, readParameters, shown } from './parameters.ts'
import { rowsNotation, takeFormat } from './notation.ts'
import { type ParkedDoor, parkedRoutes } from './parked.ts'
import { breakingOff, inBatches, type Readers } from './readers.ts'
import { metricsRoutes } from './metrics.ts'
import type { WhereDoor } from './questions.ts'
import { readingsRoutes } from './readings.ts'
import { type RulesDoor, rulesRoutes } from './rules.ts'
import { type GatewayStatus, tableSection } from './status.ts'

export type RoutesOptions = {
  readonly store: Store
  readonly status: () => object | Promise<object>
  /** Reads again what may change while the gateway runs; answers with what is in force now. */
  readonly reload: (() => object | Promise<object>) | undefined
  readonly metrics: (() => GatewayStatus) | undefined
  readonly parked: ParkedDoor | undefined
  readonly alerts: AlertsDoor | undefined
  readonly rules: RulesDoor | undefined
  readonly devices: DevicesDoor | undefined
  readonly where: WhereDoor | undefined
  readonly backups: Backups | undefined
  readonly readers: Readers
  readonly now: () => number
  /** Names the boot while its clock is not trusted. */
  readonly boot: () => string | undefined
  readonly log: Log
}

export function apiRoutes(options: RoutesOptions): Hono {
  const { store, status, metrics, reload, parked, alerts, rules, devices, where, backups, readers, now, boot, log } =
    options
  const app = new Hono()
  const base = '/api/v1'
  const rowPath = `${base}/tables/:table/rows/:key{.+}` as const

  app.onError(error => faultResponse(error, log))
  app.notFound(c => {
    const message = `there is no ${shown(c.req.method)} ${shown(c.req.path)}`
    return faultResponse(new HoldfastError('NOT_FOUND', message, `endpoints begin with ${base}/`), log)
  })

  app.get(`${base}/status`, async () => jsonResponse(await status()))

  app.post(`${base}/reload`, async () => {
    if (!reload) throw new HoldfastError('NOT_FOUND', 'this gateway has nothing to read again')
    return jsonResponse(await reload())
  })

  if (metrics !== undefined) metricsRoutes(app, base, metrics)
  doctorRoutes(app, base, store)
  if (parked !== undefined) parkedRoutes(app, base, parked, log)
  if (alerts !== undefined) alertsRoutes(app, base, alerts, now, log)
  if (rules !== undefined) rulesRoutes(app, base, rules)
  if (devices !== undefined) devicesRoutes(app, base, devices, now)
  if (backups !== undefined) backupRoutes(app, base, backups)

  intakeRoutes(app, base, { store, now, boot, log, tableOf: (name, kind) => tableOf(store, name, kind) })

  app.get(`${base}/tables`, () => jsonResponse(store.status().tables.map(tableSection)))

  app.get(`${base}/tables/:table`, c => {
    const { name } = tableOf(store, c.req.param('table'))
    return jsonResponse(
      store
        .status()
        .tables.map(tableSection)
        .find(table => table.name === name),
    )
  })

  app.get(`${base}/tables/:table/rows`, c => {
    const { name } = tableOf(store, c.req.param('table'), 'records')
    const { format, rest } = takeFormat(new URL(c.req.url).searchParams)
    const { prefix, limit } = readParameters(rest, ['prefix', 'limit'])
    const rows = {
      ...(prefix !== undefined && { prefix }),
      ...(limit !== undefined && { limit: parseLimit(limit) }),
    }
    const source = (signal: AbortSignal) => inBatches(store.rows(name, rows), rowsPerBatch, rowForm, signal)
    return readers.respond(source, rowsNotation(format), breakingOff(c))
  })

  app.get(rowPath, c => {
    const { name } = tableOf(store, c.req.param('table'), 'records')
    return jsonResponse(rowForm(rowOf(store, name, c.req.param('key'))))
  })

  app.put(rowPath, bodyLimit({ maxSize: bodyBytesMax, onError: () => faultResponse(bodyTooLarge(), log) }), async c => {
    const { name } = tableOf(store, c.req.param('table'), 'records')
    const value = jsonBody(c.req.header('content-type'), await c.req.text())
    const key = c.req.param('key')
    await store.commit([{ kind: 'put', table: name, key, value }], 'now')
    return jsonResponse(rowForm(rowOf(store, name, key)))
  })

  app.delete(rowPath, async c => {
    const { name } = tableOf(store, c.req.param('table'), 'records')
    const row = rowOf(store, name, c.req.param('key'))
    await store.commit([{ kind: 'delete', table: name, key: row.key }], 'now')
    return jsonResponse({ key: row.key, deleted: true })
  })

  readingsRoutes(app, base, { store, readers, where, now, tableOf: name => tableOf(store, name, 'series') })

  app.get(`${base}/tables/:table/history`, c => {
    const { name } = tableOf(store, c.req.param('table'), 'series')
    const query = historyQuery(new URL(c.req.url).searchParams, now())
    return readers.respond(signal => history(store, name, query, signal))
  })

  app.get(`${base}/tables/:table/tail`, c => {
    const { name } = tableOf(store, c.req.param('table'))
    const { from = 'now' } = readParameters(new URL(c.req.url).searchParams, ['from'])
    if (from !== 'now' && from !== 'beginning') {
      throw new HoldfastError('BAD_ARGUMENT', `"from" is "${shown(from)}"`, 'write now or beginning')
    }
    // Taken here, before the answer begins: what is committed after the caller has its answer is told.
    const after = from === 'now' ? store.head(name) : seqZero
    return readers.respond(async function* (signal) {
      for await (const entries of store.follow(name, after, signal, entriesPerBatch))
        yield entries.filter(isNews).map(entryForm)
    })
  })

  return app
}

/** Where rows were written again later, nothing is missing that anybody would have to be told. */
const isNews = (entry: Entry): boolean => entry.kind !== 'gap' || entry.count > 0

function tableOf(store: Store, name: string, kind?: TableKind): TableSpec {
  const spec = store.tables.get(name)
  if (!spec) {
    const known = [...store.tables.keys()]
    const nearest = nearestName(name.slice(0, 64), known)
    const hint = nearest ? `did you mean "${nearest}"?` : `known tables: ${known.join(', ')}`
    throw new HoldfastError('TABLE_UNKNOWN', `there is no table "${shown(name)}"`, hint)
  }
  if (kind === undefined || spec.kind === kind) return spec
  const hint =
    kind === 'series' ? 'it has rows; readings are in series tables' : 'it has readings; rows are in records tables'
  throw new HoldfastError('TABLE_KIND', `"${spec.name}" is a ${spec.kind} table`, hint)
}

function rowOf(store: Store, table: string, key: string) {
  const row = store.latest(table, key)
  if (row) return row
  throw new HoldfastError('NOT_FOUND', `the table "${table}" has no row "${shown(key)}"`)
}
