/** The program as a person starts it: a child process of what was built. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../runtime/main.js', import.meta.url))

export type Ended = { readonly code: number | null; readonly out: string; readonly err: string }
export type Place = {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** What to write before the command, to run it on another host. */
  readonly on?: readonly string[]
}

export function start(args: readonly string[], { cwd, env = {}, on = [] }: Place = {}): ChildProcessWithoutNullStreams {
  const kept = Object.entries(process.env).filter(([name]) => !/^(HOLDFAST_|FORCE_COLOR|NODE_)/.test(name))
  const [program = '', ...rest] = [...on, process.execPath, main, ...args]
  return spawn(program, rest, { cwd, env: { ...Object.fromEntries(kept), ...env } })
}

/** Runs one command to its end. */
export async function holdfast(args: readonly string[], place?: Place): Promise<Ended> {
  return ended(start(args, place))
}

export async function ended(child: ChildProcessWithoutNullStreams): Promise<Ended> {
  const texts = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (texts.out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (texts.err += text))
  const code = await new Promise<number | null>(resolve => child.once('close', resolve))
  return { code, ...texts }
}

/** The lines that a child writes to its standard output, as they come. */
export async function* linesFrom(child: ChildProcessWithoutNullStreams): AsyncGenerator<string> {
  let rest = ''
  // Whoever has heard enough leaves the stream open: the child may have more to say.
  for await (const chunk of child.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    const lines = (rest + String(chunk)).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
}
