/**
 * The limits of tables that the gateway itself fills, where the configuration says nothing of them: it must live for years
 * on its defaults, and none of these may grow with the years. A table that a configuration limits in any way has only the
 * limits that it says. Pure.
 *
 * `thresholds` and `device_labels` hold what people wrote, `clock` what readings need to be told in their right time, and
 * `readings` what this is all for: they have no limit unless one is written. `parked` is bounded where it is written.
 */

/** Keys of a table, as they stand in a file. */
type Limits = { readonly max_bytes?: number; readonly max_rows?: number }

export const ownLimits: Readonly<Record<string, Limits>> = {
  // What a device with a wrong payload sends day and night: a few hundred thousand show all that there is to see.
  rejects: { max_bytes: 64e6 },
  // Years of alerts, each with its readings: at about 3 kB some 300 MB. One that fires stays, however old.
  alerts: { max_rows: 100_000 },
  // One for each alert at the most.
  acks: { max_rows: 100_000 },
  // Somebody's programs may silence every night, for years.
  silences: { max_rows: 10_000 },
  // As many as are known at once.
  devices: { max_rows: 20_000 },
  // 64 for each log that ever lost something: more than anybody reads.
  gaps: { max_rows: 10_000 },
}

const says = ({ max_bytes: bytes, max_rows: rows }: Limits): string =>
  bytes === undefined ? `${rows} rows` : `${bytes / 1e6} MB`

/** For the reference: what each table is limited to without a word. */
export const ownLimitsText = Object.entries(ownLimits)
  .map(([table, limits]) => `${table} ${says(limits)}`)
  .join(', ')
