/** What the tests of clients that we did not write ask of each of them, whatever it is made of. */

export type Transport = 'mqtt' | 'mqtts' | 'ws' | 'wss'

/** One way into the gateway. */
export type Line = {
  readonly kind: Transport
  readonly port: number
  readonly version: 4 | 5
  /** The file of the authority that has signed the gateway's certificate. */
  readonly ca: string
}

export type Qos = 0 | 1 | 2

export type Message = {
  readonly topic: string
  readonly payload: string
  readonly qos: Qos
  readonly retain?: boolean
  /** A user property of MQTT 5. */
  readonly note?: string
}

export type Heard = {
  readonly topic: string
  readonly payload: string
  readonly qos: number
  readonly retain: boolean
  readonly note: string | undefined
}

export type SubscriberOptions = {
  readonly id: string
  readonly filter: string
  readonly qos: Qos
  /** It has a session, which outlives its connection. */
  readonly keeps?: boolean
  /** It comes back by itself after its connection is lost. */
  readonly stays?: boolean
  readonly will?: Message
}

export type Subscriber = {
  readonly heard: readonly Heard[]
  /** It goes without a word. */
  readonly cut: () => Promise<void>
  /** It says good-bye; its session stays. */
  readonly leave: () => Promise<void>
}

export type Kit = {
  readonly name: string
  readonly transports: readonly Transport[]
  /** Does it come back by itself on this line, whatever broker it is? */
  readonly comesBack: (line: Line) => boolean
  /** Resolves when the client believes that it is delivered: for QoS 1 and 2, when that is acknowledged. */
  readonly publish: (line: Line, message: Message) => Promise<void>
  /** Resolves once it is subscribed. */
  readonly subscribe: (line: Line, options: SubscriberOptions) => Promise<Subscriber>
  /** Ends all that still runs. */
  readonly close: () => void
}

export const isTls = ({ kind }: Line): boolean => kind === 'mqtts' || kind === 'wss'
