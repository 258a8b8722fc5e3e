/**
 * Which version of MQTT to speak: 5 where the far side speaks it, because there it says why it refuses a message; else
 * 3.1.1. Pure.
 *
 * A broker that says "unacceptable protocol version" is asked for 5 once in this process. An old one may just close on
 * a CONNECT of 5, but so does a middlebox whose broker is away: then versions alternate until one is let in.
 */
export type MqttVersion = 4 | 5
export type MqttChoice = 'auto' | '5' | '3.1.1'

export const versionNames = { 4: '3.1.1', 5: '5' } as const

export class VersionChoice {
  readonly #isOpen: boolean
  #next: MqttVersion
  #isKnown = false

  constructor(choice: MqttChoice) {
    this.#isOpen = choice === 'auto'
    this.#next = choice === '3.1.1' ? 4 : 5
  }

  get next(): MqttVersion {
    return this.#next
  }

  /** The broker let us in. */
  accepted(): void {
    this.#isKnown = true
  }

  /** It said that it does not speak what we tried. True if there is another version to try at once. */
  refused(): boolean {
    if (!this.#isOpen || this.#next === 4) {
      // It may have been replaced by one that speaks 5 only.
      if (this.#isOpen) this.#next = 5
      this.#isKnown = false
      return false
    }
    this.#next = 4
    return true
  }

  /** It closed without a word before it had let us in. */
  closed(): void {
    if (this.#isOpen && !this.#isKnown) this.#next = this.#next === 5 ? 4 : 5
  }
}
