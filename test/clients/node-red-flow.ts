/**
 * The flow, as Node-RED's editor would have saved it: readings every 200 ms, what is heard of commands said again, and
 * a file of what was acknowledged. Pure.
 */
type Node = { readonly id: string; readonly type: string } & Readonly<Record<string, unknown>>

const reading = `const count = (context.get('count') ?? 0) + 1
context.set('count', count)
msg.payload = { value: Date.now(), id: Date.now() + '-' + count }
return msg`

/** What has a place on the editor's page is a node of the flow; what has none is taken for configuration. */
const onPage = { z: 'tab', x: 0, y: 0 }

export function flow(port: number, version: 4 | 5, acknowledgedPath: string): readonly Node[] {
  const broker = {
    broker: '127.0.0.1',
    port: String(port),
    clientid: 'node-red',
    autoConnect: true,
    protocolVersion: String(version),
    keepalive: '60',
    cleansession: false,
    // Or its session would forget what it hears of whenever Node-RED is stopped in peace.
    autoUnsubscribe: false,
    sessionExpiry: '3600',
  }
  const out = { ...onPage, qos: '1', retain: 'false', broker: 'broker', wires: [] }
  const filter = { ...onPage, topic: 'commands/#', qos: '1', datatype: 'utf8', broker: 'broker', inputs: 0 }
  const tick = { ...onPage, props: [], repeat: '0.2', once: true, onceDelay: '0.1' }
  const file = {
    ...onPage,
    filename: acknowledgedPath,
    filenameType: 'str',
    appendNewline: true,
    overwriteFile: 'false',
  }
  return [
    { id: 'tab', type: 'tab', label: 'Holdfast' },
    { id: 'broker', type: 'mqtt-broker', ...broker },
    { id: 'tick', type: 'inject', ...tick, wires: [['reading']] },
    { id: 'reading', type: 'function', ...onPage, func: reading, outputs: 1, wires: [['publish']] },
    { id: 'publish', type: 'mqtt out', ...out, topic: 'sensors/node-red/temperature' },
    { id: 'acknowledged', type: 'complete', ...onPage, scope: ['publish'], wires: [['file']] },
    { id: 'file', type: 'file', ...file, wires: [[]] },
    { id: 'commands', type: 'mqtt in', ...filter, wires: [['heard']] },
    { id: 'heard', type: 'mqtt out', ...out, topic: 'sensors/node-red/heard' },
  ]
}
