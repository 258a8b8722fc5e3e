/** A Modbus device of Debian's pymodbus, and servers that misbehave. */
import assert from 'node:assert/strict'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { blocksOf } from '../../adapters/modbus-points.ts'
import { ModbusTcp } from '../../runtime/sources/poll/modbus-tcp.ts'
import { modbusMissing, openModbus } from '../rigs/modbus.ts'

const block = (register: 'holding' | 'input' | 'coil' | 'discrete', start: number, count: number) => {
  return { register, start, count }
}

function device(t: TestContext, port: number, blocks: ReturnType<typeof block>[], timeoutMs = 5_000, unitId = 1) {
  const asking = new ModbusTcp({ host: '127.0.0.1', port, unitId, timeoutMs, blocks })
  t.after(() => asking.close())
  return asking
}

const parsed = ({ payload, warnings }: { payload: Buffer; warnings: readonly string[] }) => {
  return { read: JSON.parse(payload.toString()) as unknown, warnings }
}

describe('registers that touch each other', () => {
  const point = (address: number, size = 1, register: 'holding' | 'coil' = 'holding') => ({ register, address, size })

  test('are asked for together, whatever their order, and no others', () => {
    assert.deepEqual(blocksOf([point(10, 2), point(0), point(1, 4), point(12), point(20)]), [
      block('holding', 0, 5),
      block('holding', 10, 3),
      block('holding', 20, 1),
    ])
  })

  test('are asked for in as many requests as they need, and no point is cut', () => {
    const points = Array.from({ length: 100 }, (_, index) => point(index * 4, 4))
    const blocks = blocksOf(points)
    assert.deepEqual(
      blocks.map(({ count }) => count),
      [124, 124, 124, 28],
    )
    const coils = blocksOf(Array.from({ length: 2_001 }, (_, index) => point(index, 1, 'coil')))
    assert.deepEqual(
      coils.map(({ count }) => count),
      [2_000, 1],
    )
  })

  test('that overlap are read once', () => {
    assert.deepEqual(blocksOf([point(0, 4), point(0, 2), point(2, 1)]), [block('holding', 0, 4)])
  })
})

describe('a Modbus device', { skip: modbusMissing() }, () => {
  test('is read, registers and bits of each kind', async t => {
    const server = await openModbus({
      unit: 17,
      holding: { '0': [1, 2, 65_535] },
      input: { '100': [7] },
      coil: { '0': [1, 0, 1] },
      discrete: { '5': [1] },
    })
    t.after(() => server.stop())
    const blocks = [block('holding', 0, 3), block('input', 100, 1), block('coil', 0, 3), block('discrete', 5, 1)]
    const asking = device(t, server.port, blocks, 5_000, 17)
    const expected = {
      read: {
        holding: { '0': [1, 2, 65_535] },
        input: { '100': [7] },
        coil: { '0': [1, 0, 1] },
        discrete: { '5': [1] },
      },
      warnings: [],
    }
    assert.deepEqual(parsed(await asking.ask()), expected)
    assert.deepEqual(parsed(await asking.ask()), expected, 'over the same connection')
  })

  test('that says no to one request is asked for the rest', async t => {
    const server = await openModbus({ holding: { '0': [5] } })
    t.after(() => server.stop())
    const asking = device(t, server.port, [block('holding', 900, 2), block('holding', 0, 1)])
    const { read, warnings } = parsed(await asking.ask())
    assert.deepEqual(read, { holding: { '0': [5] } })
    assert.match(warnings.join(), /^holding 900 to 901: the device says ".+" \(exception 2\)$/)
    await assert.rejects(device(t, server.port, [block('holding', 900, 2)]).ask(), /exception 2/)
  })
})

/** A server that answers each request with what `answer` gives of its header and body. */
async function pretend(t: TestContext, answer: (request: Buffer, socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket.on('data', request => answer(request, socket)).on('error', () => undefined))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** As the device that was asked would say it: `registers` of function 3. */
function answerTo(request: Buffer, registers: readonly number[], unit = request[6] ?? 0): Buffer {
  const bytes = registers.flatMap(register => [register >> 8, register & 0xff])
  const body = [3, bytes.length, ...bytes]
  return Buffer.from([request[0] ?? 0, request[1] ?? 0, 0, 0, 0, body.length + 1, unit, ...body])
}

describe('a Modbus device that misbehaves', () => {
  const one = [block('holding', 0, 1)]

  test('by silence is told, and its late answer is not taken for that of the next question', async t => {
    const held: (() => void)[] = []
    let asked = 0
    const port = await pretend(t, (request, socket) => {
      asked++
      if (asked === 1) held.push(() => socket.write(answerTo(request, [111])))
      else {
        for (const late of held.splice(0)) late()
        socket.write(answerTo(request, [222]))
      }
    })
    const asking = device(t, port, one, 200)
    await assert.rejects(asking.ask(), /did not answer in time/)
    assert.deepEqual(parsed(await asking.ask()).read, { holding: { '0': [222] } })
  })

  test('by fewer registers than it was asked for is not believed', async t => {
    const port = await pretend(t, (request, socket) => socket.write(answerTo(request, [1])))
    await assert.rejects(device(t, port, [block('holding', 0, 2)]).ask(), /answered 1 of 2/)
  })

  test('by another unit is not believed', async t => {
    const port = await pretend(t, (request, socket) => socket.write(answerTo(request, [1], 9)))
    await assert.rejects(device(t, port, one, 200).ask(), /did not answer in time/)
  })

  test('by bytes without end is hung up on', async t => {
    const port = await pretend(t, (_, socket) => socket.write(Buffer.alloc(40_000, 0xff)))
    await assert.rejects(device(t, port, one).ask(), /what nobody has asked for/)
  })

  test('by hanging up is told', async t => {
    const port = await pretend(t, (_, socket) => socket.destroy())
    await assert.rejects(device(t, port, one).ask(), /connection was closed/)
  })

  test('by not being there is told, and found when it comes back', async t => {
    const free = createServer()
    await new Promise<void>(resolve => free.listen(0, '127.0.0.1', resolve))
    const { port } = free.address() as AddressInfo
    await new Promise(resolve => free.close(resolve))
    const asking = device(t, port, one)
    await assert.rejects(asking.ask(), /ECONNREFUSED/)
    const server = createServer(socket => socket.on('data', request => socket.write(answerTo(request, [3]))))
    await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
    t.after(() => server.close())
    assert.deepEqual(parsed(await asking.ask()).read, { holding: { '0': [3] } })
    asking.close()
  })
})
