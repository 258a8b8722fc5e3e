/**
 * A database that was restored asks for what it has lost: of tables of rows the far side sends everything after our
 * position, what came from us too, which it leaves out otherwise. Rows that we have are known by their stamps.
 *
 * Promises: asked for until it has come, whatever is restarted meanwhile, and no longer; a far side of before this was
 * told does not know the question, and nothing else changes.
 */
import { messageOf } from '../../errors.ts'
import { type Seq, type TableKind } from '../../store/types.ts'
import type { Doors } from '../stream.ts'

/** By table: when it was restored. Written by whoever restores (restored.ts). */
export const backOwner = 'back'
/** By gateway: the last stamp of it that is in the database that we were restored from under another id. */
export const forebearsOwner = 'forebears'
const cameOwner = (label: string): string => `back/${label}`

type Stream = { readonly table: string; readonly kind: TableKind; readonly label: string }

export class Back {
  readonly #stream: Stream
  readonly #doors: Doors
  /** Where the far side's log ended when it was asked. */
  #end: Seq | undefined
  #isSaving = false

  constructor(stream: Stream, doors: Doors) {
    this.#stream = stream
    this.#doors = doors
  }

  get isWanted(): boolean {
    const { table, kind, label } = this.#stream
    const { store } = this.#doors
    const restored = kind === 'records' ? store.state(backOwner, table) : undefined
    return restored !== undefined && store.state(cameOwner(label), table) !== restored
  }

  /** A conversation starts. */
  begin(): void {
    this.#end = undefined
  }

  /** A frame says where the far side's log ends. */
  heard(head: Seq): void {
    this.#end ??= head
  }

  /** All up to a position is stored. */
  reached(seq: Seq): void {
    if (this.#end === undefined || seq < this.#end || this.#isSaving || !this.isWanted) return
    const { table, label } = this.#stream
    const { store, log } = this.#doors
    const value = store.state(backOwner, table)
    this.#isSaving = true
    store
      .commit([{ kind: 'state', owner: cameOwner(label), key: table, value }], 'lazy')
      .catch((error: unknown) => log.debug({ table, reason: messageOf(error) }, 'what came back was not noted'))
      .finally(() => {
        this.#isSaving = false
      })
  }
}
