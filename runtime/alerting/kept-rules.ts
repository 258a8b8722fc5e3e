/**
 * The texts of the rule files that were good last, kept in the store: a gateway that starts with a folder that has become
 * faulty goes on with the rules that were in force before, instead of watching nothing.
 *
 * It must never hinder rules from coming into force: what cannot be kept is told in the log and tried again with the next
 * set. Sets of more than 4 MiB are not kept; nobody writes them by hand.
 */
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import type { Change } from '../store/types.ts'

export type RuleFile = { readonly file: string; readonly text: string }

const owner = 'rule files'
const textBytesMax = 4 * 1024 * 1024

export class KeptRules {
  readonly #store: Pick<Store, 'states' | 'commit'>
  readonly #log: Log

  constructor(store: Pick<Store, 'states' | 'commit'>, log: Log) {
    this.#store = store
    this.#log = log
  }

  /** In the order of their names, as a folder is read; empty if none were ever kept. */
  read(): readonly RuleFile[] {
    return [...this.#store.states(owner)]
      .flatMap(([file, text]) => (typeof text === 'string' ? [{ file, text }] : []))
      .toSorted((a, b) => (a.file < b.file ? -1 : 1))
  }

  keep(files: readonly RuleFile[]): void {
    const bytes = files.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0)
    const isTooMuch = bytes > textBytesMax
    if (isTooMuch) this.#log.warn({ bytes }, 'the rule files are too large to be kept for a start with faulty ones')
    const changes = this.#changesTo(isTooMuch ? [] : files)
    if (changes.length === 0) return
    this.#store.commit(changes, 'lazy').catch((error: unknown) => {
      this.#log.warn({ reason: messageOf(error) }, 'the rule files were not kept for a start with faulty ones')
    })
  }

  #changesTo(files: readonly RuleFile[]): Change[] {
    const kept = this.#store.states(owner)
    const names = new Set(files.map(({ file }) => file))
    const state = (key: string, value: string | undefined): Change => ({ kind: 'state', owner, key, value })
    return [
      ...files.filter(({ file, text }) => kept.get(file) !== text).map(({ file, text }) => state(file, text)),
      ...[...kept.keys()].filter(file => !names.has(file)).map(file => state(file, undefined)),
    ]
  }
}
