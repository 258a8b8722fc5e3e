#!/usr/bin/env node
/**
 * The program: `firmware-sim --help`. The first SIGINT or SIGTERM stops the fleet and waits for outstanding
 * acknowledgements; the second ends at once.
 */
import { runCommand } from './command.ts'

process.exitCode = await runCommand(process.argv.slice(2), {
  out: text => process.stdout.write(`${text}\n`),
  err: text => process.stderr.write(text),
  columns: () => (process.stderr.isTTY ? process.stderr.columns || 80 : undefined),
  // A steady clock: when this machine's wall clock is stepped, the pretend devices must not seem to drift.
  now: () => performance.timeOrigin + performance.now(),
  onInterrupt: stop => {
    const once = (): void => {
      forget()
      stop()
    }
    const forget = (): void => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, once)
    }
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, once)
    return forget
  },
})
