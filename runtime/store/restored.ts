/**
 * The note that a restored database carries until the gateway has opened it once and set its streams right. Types and
 * names only.
 */
export const restoredState = { owner: 'restored', key: 'note' } as const

export type Restored = {
  /** The gateway whose database it was. */
  readonly gateway: string
  /** That gateway goes on running. */
  readonly is_clone: boolean
  /** The last stamp that it had given: what it wrote up to then is in the backup. */
  readonly stamp: number
  /** The id of the backup, when that was made, and when it was restored. */
  readonly backup: string
  readonly created_ms: number
  readonly restored_ms: number
}
