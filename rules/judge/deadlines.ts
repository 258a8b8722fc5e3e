/**
 * What is due when: a heap, so that thousands of holds cost nothing while they wait. Each item knows its place, so that
 * it can be moved. Those of one moment come in an order that does not depend on who came first: rank, then key.
 */
export type Due = {
  readonly rank: number
  readonly key: string
  dueMs: number
  /** Where it is in the heap; -1 if it is not. The heap's own. */
  place: number
}

export class Deadlines<Item extends Due> {
  readonly #items: Item[] = []

  get first(): Item | undefined {
    return this.#items[0]
  }

  /** Puts an item in, moves it, or (undefined) takes it out. */
  set(item: Item, dueMs: number | undefined): void {
    if (dueMs === undefined) this.#remove(item)
    else if (item.place < 0) {
      item.dueMs = dueMs
      this.#items.push(item)
      this.#rise(item, this.#items.length - 1)
    } else if (dueMs !== item.dueMs) {
      const isSooner = dueMs < item.dueMs
      item.dueMs = dueMs
      if (isSooner) this.#rise(item, item.place)
      else this.#sink(item, item.place)
    }
  }

  #remove(item: Item): void {
    const { place } = item
    if (place < 0) return
    item.place = -1
    const last = this.#items.pop()
    if (last === undefined || last === item) return
    this.#sink(last, place)
    this.#rise(last, last.place)
  }

  #rise(item: Item, from: number): void {
    let place = from
    while (place > 0) {
      const parent = this.#items[(place - 1) >> 1]
      if (parent === undefined || isBefore(parent, item)) break
      this.#put(parent, place)
      place = (place - 1) >> 1
    }
    this.#put(item, place)
  }

  #sink(item: Item, from: number): void {
    let place = from
    for (;;) {
      const [left, right] = [this.#items[2 * place + 1], this.#items[2 * place + 2]]
      const child = left && right && isBefore(right, left) ? right : left
      if (child === undefined || isBefore(item, child)) break
      const at = child === right ? 2 * place + 2 : 2 * place + 1
      this.#put(child, place)
      place = at
    }
    this.#put(item, place)
  }

  #put(item: Item, place: number): void {
    this.#items[place] = item
    item.place = place
  }
}

function isBefore(a: Due, b: Due): boolean {
  if (a.dueMs !== b.dueMs) return a.dueMs < b.dueMs
  return a.rank !== b.rank ? a.rank < b.rank : a.key < b.key
}
