/**
 * The publishes of one connection in the order of their arrival. They may become durable in any order; they leave the
 * line, and are acknowledged and forwarded, only in order [MQTT-4.6.0-2, MQTT-4.6.0-3].
 */
export type Place = {
  /** Called when the place is left: with no error once it and all before it are durable. Exactly once. */
  readonly leave: (error: Error | undefined) => void
  settled: boolean
  error: Error | undefined
}

const compactAt = 1_024

export class Line {
  #places: Place[] = []
  #head = 0
  #leaving = false

  get length(): number {
    return this.#places.length - this.#head
  }

  join(leave: Place['leave']): Place {
    const place: Place = { leave, settled: false, error: undefined }
    this.#places.push(place)
    return place
  }

  /** The publish at this place is durable, or failed. A second word about the same place is not heard. */
  settle(place: Place, error: Error | undefined): void {
    if (place.settled) return
    place.settled = true
    place.error = error
    if (this.#leaving) return
    this.#leaving = true
    try {
      for (let first = this.#places[this.#head]; first?.settled === true; first = this.#places[this.#head]) {
        this.#head += 1
        first.leave(first.error)
      }
    } finally {
      this.#leaving = false
      this.#compact()
    }
  }

  #compact(): void {
    if (this.#head === this.#places.length) {
      this.#places = []
      this.#head = 0
    } else if (this.#head > compactAt && this.#head * 2 > this.#places.length) {
      this.#places.splice(0, this.#head)
      this.#head = 0
    }
  }
}
