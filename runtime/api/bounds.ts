/** How a store is kept within its bounds, as `GET /api/v1/status` tells it. Types only. */

export type BoundsSection = {
  /**
   * `plenty`: there is room. Below `floor_bytes`: `tidy` gives back what nobody needs, `thin` takes every second of the
   * oldest readings, `drop` takes them whole, and with `refuse` nothing is left to be given.
   */
  readonly pressure: 'plenty' | 'tidy' | 'thin' | 'drop' | 'refuse'
  /** Of the file system that the store is on; null until it was looked at. */
  readonly free_bytes: number | null
  readonly disk_bytes: number | null
  /** What must stay free of it (store.min_free); null if nothing must. */
  readonly floor_bytes: number | null
  /** Bytes of readings that were thinned out or dropped for it, since the start. */
  readonly thinned_bytes: number
  readonly dropped_bytes: number
  /** The last time that empty space was given back; null if it was not since the start. */
  readonly compaction: CompactionSection | null
}

export type CompactionSection = {
  readonly why: 'schedule' | 'disk'
  /** Null if the time was not known. */
  readonly at_ms: number | null
  /** Of the database's files. */
  readonly before_bytes: number
  readonly after_bytes: number
  readonly duration_ms: number
}

/** Of one table. */
export type TableBounds = {
  /** The limits that it is held to; null without one. */
  readonly max_bytes?: number | null | undefined
  readonly max_age_ms?: number | null | undefined
  readonly max_rows?: number | null | undefined
  /** Since the start: entries dropped at a limit or for the disk, and readings taken between others that stayed. */
  readonly dropped?: number | undefined
  readonly thinned?: number | undefined
  /** How many of these somebody had not had, and for what reason the last of them went. */
  readonly lost?: number | undefined
  readonly lost_reason?: string | undefined
  /** Of a records table: rows forgotten since the start, and rows that are too old and must stay. */
  readonly forgotten?: number | undefined
  readonly held?: number | undefined
}
