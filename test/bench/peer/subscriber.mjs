// The peer's second half: subscribes with QoS 1 and writes readings to SQLite, WAL, synchronous FULL, in batches.
// Usage: node subscriber.mjs PORT FILE COUNT; prints "ready", then one line of JSON when COUNT rows are stored.
import Database from 'better-sqlite3'
import mqtt from 'mqtt'

const [port, file, count] = process.argv.slice(2)
const db = new Database(file)
db.pragma('journal_mode = WAL')
db.pragma('synchronous = FULL')
db.exec('CREATE TABLE readings (device TEXT, metric TEXT, time INTEGER, value REAL, unit TEXT, arrival INTEGER)')
const insert = db.prepare('INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?)')
const insertAll = db.transaction(rows => {
  for (const row of rows) insert.run(row)
})

let waiting = []
let stored = 0
let isScheduled = false
const flush = () => {
  isScheduled = false
  const rows = waiting
  waiting = []
  insertAll(rows)
  stored += rows.length
  if (stored >= Number(count)) finish()
}
const finish = () => {
  const { n } = db.prepare('SELECT count(*) AS n FROM readings').get()
  console.log(JSON.stringify({ stored: n, at: Date.now(), cpu: process.cpuUsage(), rss: process.memoryUsage().rss }))
  process.exit(0)
}

const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { clientId: 'peer', clean: false })
client.on('message', (topic, payload) => {
  const [, device, metric] = topic.split('/')
  const { value, time, unit } = JSON.parse(payload.toString())
  waiting.push([device, metric, time, value, unit, Date.now()])
  if (isScheduled) return
  isScheduled = true
  setTimeout(flush, 10)
})
client.on('connect', () => client.subscribe('sensors/#', { qos: 1 }, () => console.log('ready')))
