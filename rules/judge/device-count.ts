/**
 * How many devices the readings of a window come from, exactly, up to a bound. Each device has a number for as long as some
 * slice knows it; a slice keeps one bit for each. Beyond the bound the answer is the bound: that many, or more.
 */

/** A bit each in some 200 slices: 100 kB for a group that asks, whatever comes. */
export const devicesMax = 4_096
const words = devicesMax / 32

/** The devices of one slice. */
export class DeviceSet {
  readonly bits = new Uint32Array(words)
  /** There were more devices than can be told apart. */
  isOver = false

  add(other: DeviceSet | undefined): void {
    if (other === undefined) return
    for (let at = 0; at < words; at++) this.bits[at] = (this.bits[at] ?? 0) | (other.bits[at] ?? 0)
    this.isOver ||= other.isOver
  }

  set(number: number | undefined): void {
    if (number === undefined) this.isOver = true
    else this.bits[number >> 5] = (this.bits[number >> 5] ?? 0) | (1 << (number & 31))
  }

  clear(): void {
    this.bits.fill(0)
    this.isOver = false
  }

  count(): number {
    if (this.isOver) return devicesMax
    let count = 0
    for (const word of this.bits) if (word !== 0) count += ones(word)
    return count
  }
}

function ones(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555)
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

/** Which number each device has. */
export class DeviceNumbers {
  readonly #numbers = new Map<string, number>()
  readonly #free: number[] = []
  #lookedAt = -1

  /**
   * Undefined if none is to be had. When all are given away `inUse` is asked for the devices of all slices, once for each
   * `round`: nothing becomes free before the window has moved.
   */
  of(device: string, inUse: () => DeviceSet, round: number): number | undefined {
    const known = this.#numbers.get(device)
    if (known !== undefined) return known
    if (this.#numbers.size === devicesMax && round !== this.#lookedAt) {
      this.#lookedAt = round
      this.#letGo(inUse())
    }
    if (this.#numbers.size === devicesMax) return undefined
    const number = this.#free.pop() ?? this.#numbers.size
    this.#numbers.set(device, number)
    return number
  }

  #letGo(used: DeviceSet): void {
    for (const [device, number] of this.#numbers) {
      if (((used.bits[number >> 5] ?? 0) & (1 << (number & 31))) !== 0) continue
      this.#numbers.delete(device)
      this.#free.push(number)
    }
  }
}
