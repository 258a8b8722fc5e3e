/** docs/metrics.md, from the list of metrics itself. */
import { metrics } from '../../runtime/api/metric-list.ts'

const head = `# Metrics

<!-- Made from runtime/api/metric-list.ts by npm run docs. -->

\`GET /metrics\` on the gateway's socket answers in the text format of Prometheus, and \`holdfast metrics\` prints the same:

\`\`\`sh
holdfast metrics
curl --unix-socket data/holdfast.sock http://localhost/metrics
\`\`\`

Nothing listens on a network address for it. For Prometheus, let node_exporter's textfile collector read a file that a timer
writes with \`holdfast metrics\`, or put a proxy of your own before the socket.

Counters begin at 0 when the gateway starts, except \`holdfast_storage_lifetime_written_bytes_total\`. What is not known has no
sample: there are none of a broker where no broker is configured, and none of \`source="process"\` on a system without
\`/proc/self/io\`.

## What is written to the disk

An SD card wears out by what is written to it. \`source="store"\` is what the store gave to its database; \`source="process"\` is
what the system counts for the whole process: LevelDB's log and tables, compaction, and a page of 4 KiB for every page that
an append touches. The journal of the file system comes on top of both: the kernel writes it, and charges it to nobody.
Written per reading is the one counter divided by \`holdfast_readings_stored_total\`; \`holdfast status\` does that sum, and tells
each of the last days. Its account is saved with a commit that is written anyway, every ten minutes and when the gateway
stops; a kill loses what was counted since.

## All of them

| metric | kind | labels | what it is |
|---|---|---|---|
`

export const metricsPage = (): string =>
  head +
  metrics
    .map(({ name, kind, labels = [], help }) => `| \`${name}\` | ${kind} | ${labels.join(', ')} | ${help} |\n`)
    .join('')
