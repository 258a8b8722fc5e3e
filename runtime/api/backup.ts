/**
 * GET backup: everything that is stored, of one moment, in the form of a backup (backup/container.ts), not packed.
 *
 * Promises: as fast as the reader takes it and not faster; one at a time, because each keeps old files on the disk while
 * it goes on; a reader that leaves, or takes nothing for minutes, frees it. What goes wrong once bytes flow is told in
 * the backup's own last words.
 */
import type { Hono } from 'hono'
import { HoldfastError } from '../errors.ts'

export type BackupSource = () => AsyncGenerator<Buffer>

export class Backups {
  readonly #source: BackupSource
  readonly #stuckMs: number
  #end: (() => Promise<void>) | undefined

  constructor(source: BackupSource, stuckMs: number) {
    this.#source = source
    this.#stuckMs = stuckMs
  }

  /** Throws API_BUSY while another one is being made. */
  respond(): Response {
    if (this.#end !== undefined) {
      throw new HoldfastError('API_BUSY', 'a backup is being made already', 'wait for it, or end it')
    }
    const pieces = this.#source()
    let stuck: NodeJS.Timeout | undefined
    const end = async (): Promise<void> => {
      clearTimeout(stuck)
      if (this.#end === end) this.#end = undefined
      await pieces.return(undefined)
    }
    this.#end = end
    const body = new ReadableStream<Uint8Array>(
      {
        // Called only when the socket wants more: that is the back-pressure.
        pull: async controller => {
          clearTimeout(stuck)
          const next = await pieces.next()
          if (next.done === true) {
            await end()
            controller.close()
            return
          }
          controller.enqueue(next.value)
          stuck = setTimeout(() => {
            controller.error(new Error('nobody takes this backup'))
            void end()
          }, this.#stuckMs)
        },
        cancel: end,
      },
      { highWaterMark: 0 },
    )
    return new Response(body, { headers: { 'content-type': 'application/octet-stream', 'cache-control': 'no-store' } })
  }

  /** Ends the one that is being made; its reader sees that it is not whole. */
  async close(): Promise<void> {
    await this.#end?.()
  }
}

export function backupRoutes(app: Hono, base: string, backups: Backups): void {
  app.get(`${base}/backup`, () => backups.respond())
}
