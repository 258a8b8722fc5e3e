/**
 * Sensors that publish once a second, QoS 1, each at its own moment: `node wear-load.js PORT SENSORS SECONDS` prints one
 * line of JSON with what was sent and acknowledged. Fifty of them never hurry a gateway, so a client library will do.
 */
import mqtt from 'mqtt'

const [port = 0, sensors = 0, seconds = 0] = process.argv.slice(2).map(Number)
const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: 'load', clean: true })
let [sent, acknowledged] = [0, 0]
const began = performance.now()
await Promise.all(
  Array.from({ length: sensors }, async (_, sensor) => {
    // Moments that do not beat with any interval: the golden ratio spreads them over the second.
    const phaseMs = ((sensor * 0.618_034) % 1) * 1_000
    for (let second = 0; second < seconds; second++) {
      const dueMs = began + second * 1_000 + phaseMs
      await new Promise(resolve => setTimeout(resolve, Math.max(0, dueMs - performance.now())))
      const value = (20 + Math.sin(second / 60 + sensor)).toFixed(2)
      const payload = `{"value":${value},"time":${Date.now()},"unit":"C","status":"ok"}`
      sent++
      await client.publishAsync(`sensors/sensor-${String(sensor).padStart(2, '0')}/temperature`, payload, { qos: 1 })
      acknowledged++
    }
  }),
)
console.log(JSON.stringify({ sent, acknowledged }))
process.exit(0)
