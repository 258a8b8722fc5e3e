/** The numbers of a gateway in the form of Prometheus. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { metrics } from '../../runtime/api/metric-list.ts'
import { metricsText } from '../../runtime/api/metrics.ts'
import type { GatewayStatus } from '../../runtime/api/status.ts'
import { diskSection } from '../../runtime/api/disk.ts'
import { storeSection } from '../../runtime/api/status.ts'
import { type Surface, arrival, nowMs, openSurface } from './surface.ts'

const statusOf = (surface: () => Surface): GatewayStatus => {
  const stored = surface().store.status()
  return {
    gateway: { id: 'gw "1"', version: '0.1.0', started_ms: 0, uptime_ms: 61_000 },
    store: storeSection(stored),
    disk: diskSection(stored),
    bridges: [],
  }
}

test('GET /metrics tells what is stored and written, each with its kind, and nothing that is not known', async (t: TestContext) => {
  const surface: Surface = await openSurface({ metrics: () => statusOf(() => surface) })
  t.after(() => surface.remove())
  const { store } = surface
  await store.commit([{ kind: 'append', table: 'readings', readings: [arrival('a', 1, nowMs)] }], 'now')
  for (const path of ['/metrics', '/api/v1/metrics']) {
    const { status, text } = await surface.call('GET', path)
    assert.equal(status, 200)
    assert.match(text, /^# TYPE holdfast_readings_stored_total counter\nholdfast_readings_stored_total 1$/m)
    assert.match(text, /^holdfast_build_info\{gateway="gw \\"1\\"",version="0.1.0"\} 1$/m)
    assert.match(text, /^holdfast_table_head\{table="readings"\} 1$/m)
    assert.match(text, /^holdfast_storage_written_bytes_total\{source="store"\} [1-9]\d+$/m)
    assert.match(text, /^holdfast_commits_total\{urgency="now"\} 1$/m)
    assert.match(text, /^holdfast_commit_duration_seconds_bucket\{le="\+Inf"\} 1$/m)
    assert.match(text, /^holdfast_commit_duration_seconds_count 1$/m)
    // This surface has no machine that tells of its disk, and no broker.
    assert.doesNotMatch(text, /source="process"|^holdfast_storage_free_bytes \d|^holdfast_mqtt_clients_connected \d/m)
  }
})

test('every metric is told under its own name and kind, and by the labels that its list names', async (t: TestContext) => {
  const surface = await openSurface()
  t.after(() => surface.remove())
  const text = await metricsText(statusOf(() => surface))
  const told = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, kind]) => [name, kind])
  assert.deepEqual(
    told,
    metrics.map(({ name, kind }) => [name, kind]),
  )
  for (const { name, kind, labels = [] } of metrics) {
    assert.match(name, /^holdfast_[a-z_]+$/)
    assert.equal(name.endsWith('_total'), kind === 'counter', name)
    const samples = [...text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? \\S+$`, 'gm'))]
    for (const [line, by = ''] of samples)
      assert.deepEqual(
        [...by.matchAll(/(\w+)="/g)].map(([, label]) => label),
        labels,
        line,
      )
  }
})

test('a gateway without metrics has no such endpoint', async (t: TestContext) => {
  const surface = await openSurface()
  t.after(() => surface.remove())
  assert.equal((await surface.call('GET', '/metrics')).status, 404)
})
