/**
 * What stands in which registers of a Modbus device: the words of the configuration, how many registers a point takes,
 * and which registers are asked for together. Pure.
 *
 * Addresses are those of the protocol, from 0: what a manual calls 40001 is holding register 0, and 30001 input
 * register 0.
 */
import { z } from 'zod'
import { unitBytesMax } from '../runtime/limits.ts'
import { nameFault, unitFault } from './names.ts'

export const registerKinds = ['holding', 'input', 'coil', 'discrete'] as const
export type RegisterKind = (typeof registerKinds)[number]

const pointTypes = [
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'float32',
  'float64',
  'bool',
  'bit',
  'string',
] as const
export type PointType = (typeof pointTypes)[number]

/** Points of one device: what a large meter has, and still one message. */
const pointsMax = 500
const addressMax = 65_535
/** What one request may ask for [Modbus application protocol 6.1 to 6.4]. */
export const registersPerRequestMax = 125
export const bitsPerRequestMax = 2_000
/** 64 registers are a text of 128 bytes. */
const textRegistersMax = 64

const named = (what: string) =>
  z.string().superRefine((name, context) => {
    const message = nameFault(what, name)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  })

const order = z.enum(['big', 'little'])
const finite = z.number().refine(Number.isFinite, 'must be a finite number')
const whole = (min: number, max: number) =>
  z.number().refine(number => Number.isInteger(number) && number >= min && number <= max, {
    message: `must be a whole number, ${min} to ${max}`,
  })

const point = z
  .strictObject({
    register: z.enum(registerKinds).default('holding').describe('What is read: registers of 16 bits, or single bits.'),
    address: whole(0, addressMax).describe("Where it begins, from 0: a manual's 40001 is holding 0."),
    type: z
      .enum(pointTypes)
      .optional()
      .describe('How the bits are to be understood; left out, uint16 of registers, bool of coils and discrete inputs.'),
    bit: whole(0, 15).optional().describe('With type bit: which bit of the register, 0 is the lowest.'),
    length: whole(1, textRegistersMax).optional().describe('With type string: how many registers, of two bytes each.'),
    word_order: order.optional().describe('In place of that of the device.'),
    byte_order: order.optional().describe('In place of that of the device.'),
    scale: finite.default(1).describe('What the number is multiplied by.'),
    offset: finite.default(0).describe('What is added to it then.'),
    none: finite.optional().describe('The number, before scale, by which the device says that it has no value.'),
    metric: named('the metric').describe('The name of the metric.'),
    device: named('the device').optional().describe('The device, if it is not that of all points.'),
    unit: z
      .string()
      .max(unitBytesMax)
      .superRefine((text, context) => {
        const message = unitFault(text)
        if (message !== undefined) context.addIssue({ code: 'custom', message })
      })
      .optional()
      .describe('The unit, for people.'),
  })
  .superRefine((given, context) => {
    for (const [path, message] of pointFaults(given)) context.addIssue({ code: 'custom', path: [path], message })
  })

type GivenPoint = {
  readonly register: RegisterKind
  readonly address: number
  readonly type?: PointType | undefined
  readonly bit?: number | undefined
  readonly length?: number | undefined
}

function pointFaults({ register, address, type, bit, length }: GivenPoint): [path: string, message: string][] {
  const isBits = isBitKind(register)
  const faults: [string, string][] = []
  if (isBits && type !== undefined && type !== 'bool') faults.push(['type', `a ${register} is one bit: leave type out`])
  if ((type === 'bit') !== (bit !== undefined)) faults.push(['bit', 'type: bit and the key bit need each other'])
  if ((type === 'string') !== (length !== undefined)) {
    faults.push(['length', 'type: string and the key length need each other'])
  }
  if (address + sizeOf(type ?? 'uint16', length) - 1 > addressMax) {
    faults.push(['address', `ends behind the last register, ${addressMax}`])
  }
  return faults
}

export const modbusOptions = z.strictObject({
  device: named('the device')
    .optional()
    .describe('The device that the points belong to; left out, the topic names it.'),
  points: z.array(point).min(1, 'name at least one point').max(pointsMax).describe('What stands in which registers.'),
  word_order: order
    .default('big')
    .describe('Which register of a number of 32 or 64 bits comes first: that of the highest bits, or of the lowest.'),
  byte_order: order.default('big').describe('Which byte of a register comes first; the specification says big.'),
})

export type ModbusOptions = z.output<typeof modbusOptions>

export type Point = {
  readonly register: RegisterKind
  readonly address: number
  /** Registers, or bits. */
  readonly size: number
  readonly type: PointType
  readonly bit: number
  readonly littleWords: boolean
  readonly littleBytes: boolean
  readonly scale: number
  readonly offset: number
  readonly none: number | undefined
  readonly metric: string
  readonly device: string | undefined
  readonly unit: string | undefined
}

export function pointsOf({ points, device, word_order, byte_order }: ModbusOptions): readonly Point[] {
  return points.map(given => {
    const type = given.type ?? (isBitKind(given.register) ? 'bool' : 'uint16')
    return {
      register: given.register,
      address: given.address,
      size: isBitKind(given.register) ? 1 : sizeOf(type, given.length),
      type,
      bit: given.bit ?? 0,
      littleWords: (given.word_order ?? word_order) === 'little',
      littleBytes: (given.byte_order ?? byte_order) === 'little',
      scale: given.scale,
      offset: given.offset,
      none: given.none,
      metric: given.metric,
      device: given.device ?? device,
      unit: given.unit,
    }
  })
}

export const isBitKind = (kind: RegisterKind): boolean => kind === 'coil' || kind === 'discrete'

function sizeOf(type: PointType, length: number | undefined): number {
  switch (type) {
    case 'int16':
    case 'uint16':
    case 'bool':
    case 'bit':
      return 1
    case 'int32':
    case 'uint32':
    case 'float32':
      return 2
    case 'int64':
    case 'uint64':
    case 'float64':
      return 4
    case 'string':
      return length ?? 1
  }
}

/** What one request asks for. */
export type Block = { readonly register: RegisterKind; readonly start: number; readonly count: number }

/** Registers that touch each other are asked for together, as many as one request may; a point is never cut. */
export function blocksOf(points: readonly Pick<Point, 'register' | 'address' | 'size'>[]): readonly Block[] {
  return registerKinds.flatMap(register => {
    const most = isBitKind(register) ? bitsPerRequestMax : registersPerRequestMax
    const blocks: Block[] = []
    for (const { address, size } of points.filter(one => one.register === register).toSorted(byAddress)) {
      const last = blocks.at(-1)
      const end = address + size
      if (last === undefined || address > last.start + last.count || end - last.start > most) {
        blocks.push({ register, start: address, count: size })
      } else {
        blocks[blocks.length - 1] = { ...last, count: Math.max(last.count, end - last.start) }
      }
    }
    return blocks
  })
}

const byAddress = (a: { readonly address: number }, b: { readonly address: number }): number => a.address - b.address
