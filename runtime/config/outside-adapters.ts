/**
 * Adapters that others wrote, named in routes by package or file: `holdfast-adapter-acme`, `@acme/holdfast-adapter`,
 * `./acme.js`. Found from the folder of the configuration, as Node finds packages, and imported before the configuration is
 * checked. Whoever writes the configuration decides what runs here: nothing is fetched, and nothing looked for elsewhere.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { AdapterKind } from '../../adapters/adapter.ts'
import { guardedKind } from '../../adapters/guarded.ts'
import type { Finding } from '../document.ts'
import { messageOf } from '../errors.ts'
import { routesMax } from '../limits.ts'
import { readYaml } from '../yaml-text.ts'

export type OutsideAdapter =
  | { readonly kind: 'loaded'; readonly adapter: AdapterKind }
  | { readonly kind: 'failed'; readonly reason: string }
  /** Named, and not needed by who asks. */
  | { readonly kind: 'unread' }

/** By what routes call them. */
export type OutsideAdapters = ReadonlyMap<string, OutsideAdapter>

/** A name that nobody wrote by mistake for a built-in one. */
export const outsideName = /^(?:\.{1,2}\/.+|holdfast-adapter-[a-z0-9._-]+|@[a-z0-9._~-]+\/[a-z0-9._~-]+)$/

/** The adapters that the routes of a configuration name and that are not ours, none of them loaded. */
export function namedOutside(text: string): OutsideAdapters {
  const found = new Map<string, OutsideAdapter>()
  if (!/adapter['"]?\s*:\s*['"]?(?:\.|@|holdfast-adapter-)/.test(text)) return found
  const yaml = readYaml(text)
  for (const route of yaml.ok ? routesIn(yaml.plain) : []) {
    const name = (route as { adapter?: unknown } | null)?.adapter
    if (typeof name === 'string' && outsideName.test(name)) found.set(name, { kind: 'unread' })
  }
  return found
}

function routesIn(plain: unknown): readonly unknown[] {
  const routes = (plain as { routes?: unknown } | null)?.routes
  return Array.isArray(routes) ? (routes as unknown[]).slice(0, routesMax) : []
}

/** The same, imported. Never throws: what is wrong with one is told where it is named. */
export async function loadOutside(text: string, folder: string): Promise<OutsideAdapters> {
  const loaded = new Map<string, OutsideAdapter>()
  for (const name of namedOutside(text).keys()) loaded.set(name, await load(name, folder))
  return loaded
}

async function load(name: string, folder: string): Promise<OutsideAdapter> {
  const found = name.startsWith('.') ? resolve(folder, name) : entryOf(name, folder)
  if (typeof found === 'object') return { kind: 'failed', reason: found.reason }
  if (!existsSync(found)) return { kind: 'failed', reason: `there is no file ${found}` }
  try {
    const module = (await import(pathToFileURL(found).href)) as { adapter?: unknown; default?: { adapter?: unknown } }
    const guarded = guardedKind(module.adapter ?? module.default?.adapter, name)
    if (guarded.ok) return { kind: 'loaded', adapter: guarded.kind }
    return { kind: 'failed', reason: `${found}: ${guarded.reason}` }
  } catch (error) {
    return { kind: 'failed', reason: `${found} cannot be loaded: ${firstLine(messageOf(error))}` }
  }
}

const firstLine = (text: string): string => (text.split('\n', 1)[0] ?? '').slice(0, 300)

/** The file that a package begins with, from the nearest node_modules that has it. */
function entryOf(name: string, folder: string): string | { readonly reason: string } {
  for (let at = folder; ; at = dirname(at)) {
    const home = join(at, 'node_modules', name)
    const description = join(home, 'package.json')
    if (existsSync(description)) {
      try {
        const { exports, main } = JSON.parse(readFileSync(description, 'utf8')) as { exports?: unknown; main?: unknown }
        return join(home, exportedFile(exports) ?? (typeof main === 'string' ? main : 'index.js'))
      } catch (error) {
        return { reason: `${description} cannot be read: ${firstLine(messageOf(error))}` }
      }
    }
    if (dirname(at) === at) {
      return {
        reason: `there is no package "${name}" in ${join(folder, 'node_modules')} or above it: install it there`,
      }
    }
  }
}

/** Of the conditions that a package may make, those that hold for an import by Node, in its own order. */
const conditions = new Set('node import module-sync default'.split(' '))

function exportedFile(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports
  if (Array.isArray(exports)) return exportedFile(exports[0])
  if (typeof exports !== 'object' || exports === null) return undefined
  const map = exports as Readonly<Record<string, unknown>>
  if (Object.hasOwn(map, '.')) return exportedFile(map['.'])
  for (const [condition, target] of Object.entries(map)) {
    const file = conditions.has(condition) ? exportedFile(target) : undefined
    if (file !== undefined) return file
  }
  return undefined
}

/** What is wrong with those that routes name, whatever else is wrong with the routes: they are not there, or no adapters. */
export function loadingFindings(plain: unknown, outside: OutsideAdapters): Finding[] {
  if (outside.size === 0) return []
  return routesIn(plain).flatMap((route, index) => {
    const name = (route as { adapter?: unknown } | null)?.adapter
    const found = typeof name === 'string' ? outside.get(name) : undefined
    return found?.kind === 'failed' ? [unusable(index, String(name), found.reason)] : []
  })
}

/** And that they do not open with the options of a route that is sound by itself. */
export function openingFindings(routes: readonly RouteKeys[], outside: OutsideAdapters): Finding[] {
  if (outside.size === 0) return []
  return routes.flatMap(({ topic: _topic, table: _table, metrics: _metrics, adapter = '', ...options }, index) => {
    const found = outside.get(adapter)
    const reason = found?.kind === 'loaded' ? openingFault(found.adapter, options) : undefined
    return reason === undefined ? [] : [unusable(index, adapter, reason)]
  })
}

function unusable(index: number, name: string, reason: string): Finding {
  const message = `the adapter "${name}" cannot be used: ${reason} (see docs/adapters.md)`
  return { path: ['routes', index, 'adapter'], message }
}

type RouteKeys = {
  readonly topic: string
  readonly table: string
  readonly metrics?: unknown
  readonly adapter?: string | undefined
}

function openingFault(adapter: AdapterKind, options: object): string | undefined {
  try {
    adapter.open(options)
    return undefined
  } catch (error) {
    return `it does not open: ${firstLine(messageOf(error))}`
  }
}
