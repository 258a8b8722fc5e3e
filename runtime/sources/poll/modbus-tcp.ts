/**
 * Reads registers of a Modbus device over TCP, one request after the other, as the adapter `modbus` reads them.
 *
 * Promises: a device that says no to one request is asked for the rest; after anything else that goes wrong (silence,
 * an answer that does not fit) the connection is closed, because a late answer would be taken for that of the next
 * question. What it sends is bounded.
 */
import { connect, type Socket } from 'node:net'
import { ModbusTCPClient, UserRequestError } from 'jsmodbus'
import { messageOf } from '../../errors.ts'
import { modbusBytesMax } from '../limits.ts'
import type { Asking } from './poller.ts'

export type ModbusTcpOptions = {
  readonly host: string
  readonly port: number
  readonly unitId: number
  readonly timeoutMs: number
  /** What is asked for, at most 125 registers or 2,000 bits each. */
  readonly blocks: readonly Block[]
}

type Block = {
  readonly register: 'holding' | 'input' | 'coil' | 'discrete'
  readonly start: number
  readonly count: number
}

type Line = { readonly socket: Socket; readonly client: ModbusTCPClient; fault: string | undefined; bytes: number }

export class ModbusTcp implements Asking {
  readonly #options: ModbusTcpOptions
  #line: Line | undefined
  #isClosed = false

  constructor(options: ModbusTcpOptions) {
    this.#options = options
  }

  async ask(): ReturnType<Asking['ask']> {
    const read: Record<string, Record<string, readonly number[]>> = {}
    const warnings: string[] = []
    const { blocks } = this.#options
    for (const block of blocks) {
      try {
        const numbers = await this.#read(block)
        read[block.register] = { ...read[block.register], [block.start]: numbers }
      } catch (error) {
        const refusal = refusalOf(error)
        if (refusal === undefined) {
          this.#hangUp()
          throw new Error(sentenceOf(error), { cause: error })
        }
        const last = block.start + block.count - 1
        warnings.push(`${block.register} ${block.start} to ${last}: ${refusal}`)
      }
    }
    if (warnings.length === blocks.length) throw new Error(warnings.join('; '))
    return { payload: Buffer.from(JSON.stringify(read)), warnings }
  }

  close(): void {
    this.#isClosed = true
    this.#hangUp()
  }

  async #read({ register, start, count }: Block): Promise<readonly number[]> {
    const line = this.#line ?? (await this.#dial())
    line.bytes = 0
    const { response } = await requestOf(line.client, register, start, count).catch((error: unknown) => {
      throw line.fault === undefined ? error : new Error(line.fault)
    })
    const values = [...response.body.valuesAsArray].slice(0, count).map(Number)
    if (values.length < count) throw new Error(`it answered ${values.length} of ${count} that it was asked for`)
    return values
  }

  #dial(): Promise<Line> {
    const { host, port, unitId, timeoutMs } = this.#options
    const socket = connect({ host, port, noDelay: true })
    const line: Line = { socket, client: new ModbusTCPClient(socket, unitId, timeoutMs), fault: undefined, bytes: 0 }
    this.#line = line
    socket.on('data', chunk => {
      line.bytes += chunk.length
      if (line.bytes < modbusBytesMax) return
      line.fault = 'it sends what nobody has asked for'
      socket.destroy()
    })
    socket.on('error', error => (line.fault ??= messageOf(error)))
    socket.on('close', () => {
      if (this.#line === line) this.#line = undefined
    })
    socket.setTimeout(timeoutMs, () => {
      if (socket.connecting) socket.destroy(new Error(`no answer from ${host} within ${timeoutMs / 1_000} s`))
    })
    return new Promise((resolve, reject) => {
      socket.once('connect', () => (this.#isClosed ? reject(new Error('closed')) : resolve(line)))
      socket.once('close', () => reject(new Error(line.fault ?? 'the connection was closed')))
    })
  }

  #hangUp(): void {
    const line = this.#line
    this.#line = undefined
    line?.socket.destroy()
  }
}

function requestOf(client: ModbusTCPClient, register: Block['register'], start: number, count: number) {
  switch (register) {
    case 'holding':
      return client.readHoldingRegisters(start, count)
    case 'input':
      return client.readInputRegisters(start, count)
    case 'coil':
      return client.readCoils(start, count)
    case 'discrete':
      return client.readDiscreteInputs(start, count)
  }
}

/** The device's own no, which leaves the connection as good as it was. */
function refusalOf(error: unknown): string | undefined {
  if (!(error instanceof UserRequestError) || error.err !== 'ModbusException') return undefined
  const { code, message } = (error.response?.body ?? {}) as { code?: number; message?: string }
  return `the device says "${message ?? 'no'}" (exception ${code ?? '?'})`
}

const sentences: Readonly<Record<string, string>> = {
  Timeout: 'the device did not answer in time',
  Offline: 'the connection was closed',
  OutOfSync: 'the device answered another question',
  Protocol: 'what answers there does not speak Modbus',
}

function sentenceOf(error: unknown): string {
  return error instanceof UserRequestError ? (sentences[error.err] ?? error.message) : messageOf(error)
}
