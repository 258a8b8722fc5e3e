/** A bar on a terminal while a benchmark runs; elsewhere a line for each step. */
export type Progress = { step(doing: string): void; end(): void }

const width = 30

export function progress(steps: number, isShown: boolean): Progress {
  const isBar = isShown && process.stderr.isTTY
  let done = 0
  return {
    step(doing) {
      if (isBar) {
        const full = Math.round((done / steps) * width)
        process.stderr.write(`\r\u001b[K[${'#'.repeat(full)}${'.'.repeat(width - full)}] ${doing}`)
      } else if (isShown) console.error(doing)
      done++
    },
    end() {
      if (isBar) process.stderr.write('\r\u001b[K')
    },
  }
}
