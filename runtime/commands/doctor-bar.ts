/** How far a doctor has come, on one line of standard error; nothing where that is no terminal. */
const everyMs = 100
const width = 30

type Screen = Pick<NodeJS.WriteStream, 'isTTY' | 'write'>

export type DoctorBar = {
  /** `all` is 0 where nobody knows how much there is. */
  readonly show: (doing: string, done: number, all: number) => void
  readonly end: () => void
}

export function openBar(screen: Screen): DoctorBar {
  let drawnMs = 0
  return {
    show(doing, done, all) {
      const nowMs = performance.now()
      if (!screen.isTTY || nowMs - drawnMs < everyMs) return
      drawnMs = nowMs
      screen.write(`\r${doing} ${all > 0 ? barOf(done / all) : done}\u001b[K`)
    },
    end() {
      if (screen.isTTY && drawnMs > 0) screen.write('\r\u001b[K')
      drawnMs = 0
    },
  }
}

function barOf(part: number): string {
  const full = Math.round(Math.min(1, part) * width)
  return `[${'#'.repeat(full)}${'.'.repeat(width - full)}] ${String(Math.floor(part * 100)).padStart(3)}%`
}
