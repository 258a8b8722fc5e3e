/**
 * Packet sequences in a small language: bytes in, bytes out, over raw sockets. A line is a client, a direction and bytes:
 *
 *   a> 10 * 'MQTT' 04 02 0000 'a'     client a sends; it connects with its first line
 *   a< 20 02 0000                     these bytes come next, and no others
 *   a< closed                         the broker closes, and nothing more came
 *   a> gone                           the client goes without a word
 *
 * Hexadecimal digits are bytes, 'x' is a text with its length in front, "x" a text without, and * the length of what
 * follows it in the line. At the end nobody may have got anything that the sequence does not say.
 */
import assert from 'node:assert/strict'
import { type Socket, connect } from 'node:net'
import type { TestContext } from 'node:test'
import { until } from './rig.ts'

type Client = { readonly socket: Socket; got: Buffer; closed: boolean }

export async function playSequence(t: TestContext, port: number, text: string): Promise<void> {
  const clients = new Map<string, Client>()
  const clientOf = (name: string): Client => {
    const known = clients.get(name)
    if (known && !known.closed) return known
    const fresh = openClient(t, port)
    clients.set(name, fresh)
    return fresh
  }
  for (const line of text.split('\n').map(part => part.trim())) {
    const [, name = '', direction, rest = ''] = /^(\w+)([<>])\s*(.*)$/.exec(line) ?? []
    if (line === '' || line.startsWith('#')) continue
    if (direction === undefined) throw new Error(`no such line: ${line}`)
    if (direction === '>') {
      const { socket } = clientOf(name)
      if (rest === 'gone') socket.destroy()
      else socket.write(bytesOf(rest))
    } else await expect(clients.get(name) ?? assert.fail(`${name} said nothing yet`), rest, line)
  }
  // What is still on its way comes before the answer to a ping.
  await until(() => [...clients.values()].every(({ socket }) => socket.writableLength === 0))
  await new Promise(resolve => setTimeout(resolve, 20))
  for (const [name, { got }] of clients) assert.equal(got.toString('hex'), '', `${name} got more`)
}

async function expect(client: Client, rest: string, line: string): Promise<void> {
  if (rest === 'closed') {
    await until(() => client.closed)
    assert.equal(client.got.toString('hex'), '', line)
    return
  }
  const wanted = bytesOf(rest)
  await until(() => client.got.length >= wanted.length || client.closed)
  assert.equal(client.got.subarray(0, wanted.length).toString('hex'), wanted.toString('hex'), line)
  client.got = client.got.subarray(wanted.length)
}

function openClient(t: TestContext, port: number): Client {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const client: Client = { socket, got: Buffer.alloc(0), closed: false }
  socket.on('data', chunk => {
    client.got = Buffer.concat([client.got, chunk])
  })
  socket.on('error', () => socket.destroy())
  socket.on('close', () => {
    client.closed = true
  })
  t.after(() => socket.destroy())
  return client
}

function bytesOf(text: string): Buffer {
  const parts: Buffer[] = []
  const tokens = text.matchAll(/'([^']*)'|"([^"]*)"|(\*)|([0-9a-f]{2})|(\s+)|(.)/g)
  for (const [whole, prefixed, plain, length, byte, space] of tokens) {
    if (prefixed !== undefined) {
      const bytes = Buffer.from(prefixed)
      parts.push(Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes)
    } else if (plain !== undefined) parts.push(Buffer.from(plain))
    else if (length !== undefined) {
      const rest = bytesOf(text.slice(text.indexOf('*') + 1))
      return Buffer.concat([...parts, lengthOf(rest.length), rest])
    } else if (byte !== undefined) parts.push(Buffer.from(byte, 'hex'))
    else if (space === undefined) throw new Error(`what is ${whole} in ${text}?`)
  }
  return Buffer.concat(parts)
}

function lengthOf(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  do {
    bytes.push((rest & 0x7f) | (rest > 127 ? 0x80 : 0))
    rest >>= 7
  } while (rest > 0)
  return Buffer.from(bytes)
}
