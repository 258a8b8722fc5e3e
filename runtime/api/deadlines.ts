/**
 * How long a request may take to come. Node would hold all of them to one time; lines may go on for as long as they come,
 * so it is done here: the others must be there as a whole after so long, of lines there must be something new each time.
 *
 * A caller whose bytes wait for us is not slow: the disk is.
 */
import type { IncomingMessage, Server } from 'node:http'
import { isLines } from './body.ts'

export function holdToDeadlines(server: Server, ms: number): void {
  server.prependListener('request', (incoming: IncomingMessage) => {
    let seenBytes = 0
    const watch = setInterval(() => {
      const { socket, complete } = incoming
      const mayGoOn = socket.bytesRead > seenBytes || incoming.readableLength > 0
      seenBytes = socket.bytesRead
      if (complete || socket.destroyed) clearInterval(watch)
      else if (!mayGoOn || !isLines(incoming.headers['content-type'])) {
        clearInterval(watch)
        socket.end('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n', () => socket.destroy())
      }
    }, ms)
    watch.unref()
    incoming.once('close', () => clearInterval(watch))
  })
}
