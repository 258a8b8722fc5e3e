/**
 * Sparkplug B 3.0: an edge node that is born with the names of its metrics, sends data by alias and in sequence, and dies by
 * its will. A device is named GROUP.NODE, or GROUP.NODE.DEVICE for a device below a node of its own; a metric `Motor.Speed`
 * is called Motor/Speed there.
 *
 * A birth tells no values, for all of them are null until they are measured. What breaks the sequence makes the host ask for
 * the births (NCMD, Node Control/Rebirth); until then data by alias means nothing to it, so none is sent: after `patienceMs`
 * without being asked the node is born again of itself.
 */
import { kindOf, type Metric } from '../waves.ts'
import { type Format, type Measured, type Said, type Speaker, timeOf } from './format.ts'
import { garbagePayload } from './garbage.ts'
import { type Field, protobuf } from './protobuf.ts'

const patienceMs = 1_000
const rebirth = 'Node Control/Rebirth'

/** Numbers of types, and of the fields of a metric that hold their values (Sparkplug 3.0, 6.4). */
const types = { uint64: 8, number: 10, boolean: 11, string: 12 } as const
const valueFields = { number: 13, boolean: 14, string: 15 } as const

export const sparkplug: Format = {
  name: 'sparkplug-b',
  topic: 'spBv1.0',
  // Those that the host must refuse, and answer with a wish for births: a message that was lost, an alias that no birth
  // named, data of a device that was not born. Those that it must take: a value of bad quality is no reading, the death of
  // an earlier session changes nothing, and a value may say that it is old.
  faults: ['sequence-gap', 'unknown-alias', 'before-birth', 'bad-quality', 'late-death', 'historical'],
  complaint: (device, metrics) => {
    if (!/^[^.]+\.[^.]+(?:\..+)?$/.test(device)) return 'a device is named GROUP.NODE or GROUP.NODE.DEVICE'
    return metrics.some(metric => kindOf(metric) === undefined) ? 'all values of a metric are of one type' : undefined
  },
  open: speaker => {
    const node = new EdgeNode(speaker)
    return {
      reading: (measured, fault) => ({
        topic: node.dataTopic,
        payload: '',
        anew: () => node.message([node.metric(measured, fault === 'historical')], measured.deviceTimeMs),
        id: undefined,
        timeMs: timeOf(speaker, measured),
      }),
      beside: (measured, fault) => node.beside(measured, fault),
      garbage: (kind, measured) =>
        // Nothing at all is a message of no metrics.
        kind === 'empty' ? undefined : garbagePayload(kind, measured),
      manners: {
        will: nowMs => node.die(nowMs),
        greeting: nowMs => node.bear(nowMs),
        farewell: nowMs => [node.death(nowMs, 0)],
        listensTo: [node.topic('NCMD')],
        answer: (topic, payload, nowMs) =>
          topic === node.topic('NCMD') && payload.includes(rebirth) ? node.bear(nowMs) : [],
        isSilent: () => node.isSilent,
        tick: nowMs => node.tick(nowMs),
      },
    }
  },
}

class EdgeNode {
  readonly #speaker: Speaker
  readonly #group: string
  readonly #node: string
  readonly #device: string
  #seq = 0
  #bdSeq = -1
  #silentUntilMs: number | undefined
  isSilent = false

  constructor(speaker: Speaker) {
    this.#speaker = speaker
    const [group = '', node = '', ...device] = speaker.name.split('.')
    this.#group = group
    this.#node = node
    this.#device = device.join('.')
  }

  topic(verb: string, device = ''): string {
    return [this.#speaker.topic, this.#group, verb, this.#node, ...(device === '' ? [] : [device])].join('/')
  }

  get dataTopic(): string {
    return this.#device === '' ? this.topic('NDATA') : this.topic('DDATA', this.#device)
  }

  /** The next session, and what its end will be. */
  die(nowMs: number): Said {
    this.#bdSeq += 1
    return this.death(nowMs, 0)
  }

  /** The death of this session, or of one that many before; it is not in the sequence. */
  death(nowMs: number, before: number): Said {
    const payload = protobuf([
      [1, nowMs],
      [2, this.#bdSeqMetric(before)],
    ])
    return { topic: this.topic('NDEATH'), payload, retain: false }
  }

  bear(nowMs: number): Said[] {
    this.#seq = 0
    this.isSilent = false
    this.#silentUntilMs = undefined
    const control = protobuf([
      [1, rebirth],
      [4, types.boolean],
      [valueFields.boolean, false],
    ])
    const metrics = this.#speaker.metrics.map((metric, index) => birthOf(metric, index + 1))
    const ofNode = [this.#bdSeqMetric(0), control]
    if (this.#device === '') return [this.#said(this.topic('NBIRTH'), [...ofNode, ...metrics], nowMs)]
    return [
      this.#said(this.topic('NBIRTH'), ofNode, nowMs),
      this.#said(this.topic('DBIRTH', this.#device), metrics, nowMs),
    ]
  }

  tick(nowMs: number): Said[] {
    if (!this.isSilent) return []
    this.#silentUntilMs ??= nowMs + patienceMs
    return nowMs < this.#silentUntilMs ? [] : this.bear(nowMs)
  }

  /** A message that is the next in the sequence: to be made when it goes. */
  message(metrics: readonly Buffer[], timeMs: number): Buffer {
    const fields = metrics.map((metric): Field => [2, metric])
    const bytes = protobuf([[1, this.#speaker.withTime ? timeMs : undefined], ...fields, [3, this.#seq]])
    this.#seq = (this.#seq + 1) % 256
    return bytes
  }

  /** A value by alias, unless another is given. */
  metric(measured: Measured, isHistorical: boolean, alias?: number, quality?: number): Buffer {
    const { metric, value, deviceTimeMs } = measured
    const index = this.#speaker.metrics.findIndex(({ name }) => name === metric.name)
    const kind = kindOf(metric) ?? 'string'
    return protobuf([
      [2, alias ?? index + 1],
      [3, this.#speaker.withTime ? deviceTimeMs : undefined],
      [5, isHistorical || undefined],
      [
        9,
        quality === undefined
          ? undefined
          : protobuf([
              [1, 'Quality'],
              [
                2,
                protobuf([
                  [1, 3],
                  [3, quality],
                ]),
              ],
            ]),
      ],
      [valueFields[kind], typeof value === 'number' ? { double: value } : value],
    ])
  }

  beside(measured: Measured, fault: string) {
    const { deviceTimeMs } = measured
    const topic = this.dataTopic
    const own = (alias?: number, quality?: number): Buffer =>
      this.message([this.metric(measured, false, alias, quality)], deviceTimeMs)
    switch (fault) {
      case 'sequence-gap':
        return this.#broken(topic, () => {
          this.#seq = (this.#seq + 1) % 256
          return own()
        })
      case 'unknown-alias':
        return this.#broken(topic, () => own(9_999))
      case 'before-birth':
        return this.#broken(this.topic('DDATA', 'unborn'), () => own(1))
      case 'bad-quality':
        return { kind: 'chatter', topic, payload: '', anew: () => own(undefined, 0) } as const
      case 'late-death':
        return {
          kind: 'chatter',
          ...this.death(deviceTimeMs, 1),
          anew: () => this.death(deviceTimeMs, 1).payload,
        } as const
      default:
        return undefined
    }
  }

  /** What the host must refuse, and what leaves it without births to go by. */
  #broken(topic: string, make: () => Buffer) {
    const anew = (): Buffer => {
      this.isSilent = true
      return make()
    }
    return { kind: 'garbage', topic, payload: '', anew } as const
  }

  #bdSeqMetric(before: number): Buffer {
    // 2^40 sessions from now: no session that was or will be.
    const bdSeq = before === 0 ? this.#bdSeq : this.#bdSeq + 2 ** 40
    return protobuf([
      [1, 'bdSeq'],
      [4, types.uint64],
      [11, bdSeq],
    ])
  }

  #said(topic: string, metrics: readonly Buffer[], nowMs: number): Said {
    return { topic, payload: this.message(metrics, nowMs), retain: false }
  }
}

function birthOf(metric: Metric, alias: number): Buffer {
  const unit =
    metric.unit &&
    protobuf([
      [1, 'engUnit'],
      [
        2,
        protobuf([
          [1, types.string],
          [8, metric.unit],
        ]),
      ],
    ])
  return protobuf([
    [1, metric.name.replaceAll('.', '/')],
    [2, alias],
    [4, types[kindOf(metric) ?? 'string']],
    [7, true],
    [9, unit || undefined],
  ])
}
