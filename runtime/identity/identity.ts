/**
 * The files by which one end of a link shows who it is and knows who the other is: certificate, key, authorities and
 * password. They are looked at every few seconds and read again when they change, whatever way they are replaced
 * (written over, renamed as certbot does, a link moved as Kubernetes does).
 *
 * Promises: what is in force is always whole, a certificate with its own key; files that do not fit together, or cannot
 * be read, change nothing and cost one log line. An expiry is told once when it is near and once when it is there.
 * Nothing of a key or password is ever said.
 */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { messageOf, systemCode } from '../errors.ts'
import type { Log } from '../log.ts'
import { type CertificateFacts, type TlsMaterial, checkMaterial, factsOf } from './certificate.ts'
import { fileBytesMax, lookEveryMs, warnBeforeMs } from './limits.ts'

/** Absolute paths. */
export type IdentityFiles = {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly password?: string | undefined
}

export type IdentityDoors = {
  readonly wallMs: () => number
  readonly after: (delayMs: number, run: () => void) => () => void
  readonly log: Log
}

type Name = keyof IdentityFiles
type Content = Partial<Record<Name, Buffer>>

const names = ['ca', 'cert', 'key', 'password'] as const

export class Identity {
  readonly #files: IdentityFiles
  readonly #doors: IdentityDoors
  #content: Content = {}
  #seen = ''
  #facts: CertificateFacts | undefined
  #problem: string | undefined
  #told: string | undefined
  readonly #heard = new Set<() => void>()
  #cancel: () => void = () => {}
  #isClosed = false

  /** Reads the files and goes on watching them. What is wrong with them stands in `problem`; it may come right later. */
  static async open(files: IdentityFiles, doors: IdentityDoors): Promise<Identity> {
    const identity = new Identity(files, doors)
    await identity.look()
    identity.#lookLater()
    return identity
  }

  private constructor(files: IdentityFiles, doors: IdentityDoors) {
    this.#files = files
    this.#doors = doors
  }

  close(): void {
    this.#isClosed = true
    this.#cancel()
    this.#heard.clear()
  }

  /** Why there is nothing in force, or why what is in the files is not; undefined if all is well. */
  get problem(): string | undefined {
    return this.#problem
  }

  get material(): TlsMaterial {
    const { ca, cert, key } = this.#content
    return { ca, cert, key }
  }

  get password(): string | undefined {
    return this.#content.password?.toString('utf8').replace(/\r?\n$/, '')
  }

  /** When our certificate expires, by the wall clock. */
  get expiresMs(): number | undefined {
    return this.#facts?.expiresMs
  }

  /** Calls `run` after each change that is in force. Returns a function that calls it off. */
  onChange(run: () => void): () => void {
    this.#heard.add(run)
    return () => this.#heard.delete(run)
  }

  /** Looks at the files now. */
  async look(): Promise<void> {
    try {
      const { content, seen } = await readAll(this.#files)
      if (this.#isClosed) return
      if (seen !== this.#seen) this.#take(content, seen)
    } catch (error) {
      this.#refuse(messageOf(error))
    }
    this.#tellExpiry()
  }

  #take(content: Content, seen: string): void {
    const { ca, cert, key } = content
    checkMaterial({ ca, cert, key })
    if (content.password?.length === 0) throw new Error(`${this.#files.password} is empty`)
    this.#facts = cert === undefined ? undefined : factsOf(cert)
    const isFirst = this.#seen === ''
    this.#content = content
    this.#seen = seen
    this.#problem = undefined
    if (isFirst) return
    this.#doors.log.info({ files: this.#files }, 'files of certificates or passwords have changed and are in force')
    for (const run of this.#heard) run()
  }

  #refuse(reason: string): void {
    if (this.#problem === reason || this.#isClosed) return
    this.#problem = reason
    const kept = this.#seen === '' ? 'they are tried again' : 'those from before stay in force'
    this.#doors.log.warn({ files: this.#files, reason }, `files of certificates or passwords are not in order: ${kept}`)
  }

  #tellExpiry(): void {
    const warning = expiryWarning(this.#facts?.expiresMs, this.#doors.wallMs())
    // The days count down in the status; the log says it twice.
    const kind = warning === undefined ? undefined : `${this.#facts?.expiresMs} ${/has expired/.test(warning)}`
    if (kind !== undefined && kind !== this.#told) this.#doors.log.warn({ file: this.#files.cert }, warning)
    this.#told = kind
  }

  #lookLater(): void {
    if (this.#isClosed) return
    this.#cancel = this.#doors.after(lookEveryMs, () => void this.look().then(() => this.#lookLater()))
  }
}

/** What a person has to know of an expiry, from two weeks before it. */
export function expiryWarning(expiresMs: number | undefined, nowMs: number): string | undefined {
  if (expiresMs === undefined || expiresMs - nowMs > warnBeforeMs) return undefined
  const day = new Date(expiresMs).toISOString().slice(0, 10)
  if (expiresMs <= nowMs) return `our certificate has expired on ${day}: put a new one in its place, it is read at once`
  const days = Math.floor((expiresMs - nowMs) / 86_400_000)
  return `our certificate expires in ${days} ${days === 1 ? 'day' : 'days'}, on ${day}: put a new one in its place`
}

/** All files, and one text that changes whenever one of them does. */
async function readAll(files: IdentityFiles): Promise<{ content: Content; seen: string }> {
  const content: Content = {}
  const hash = createHash('sha256')
  for (const name of names) {
    const path = files[name]
    if (path === undefined) continue
    const bytes = await readFile(path, name)
    content[name] = bytes
    hash.update(`${name} ${bytes.length} `).update(bytes)
  }
  return { content, seen: hash.digest('hex') }
}

async function readFile(path: string, name: Name): Promise<Buffer> {
  try {
    const file = await open(path, 'r')
    try {
      const facts = await file.stat()
      if (!facts.isFile()) throw new Error('is not a file')
      if (facts.size > fileBytesMax) throw new Error(`is larger than ${fileBytesMax} bytes`)
      const isOpen = process.platform !== 'win32' && (facts.mode & 0o007) !== 0
      if (name === 'password' && isOpen) throw new Error(`may be read by others: chmod 600 ${path}`)
      return await file.readFile()
    } finally {
      await file.close()
    }
  } catch (error) {
    throw new Error(`${path} ${whyUnreadable(error)}`, { cause: error })
  }
}

function whyUnreadable(error: unknown): string {
  switch (systemCode(error)) {
    case 'ENOENT':
      return 'does not exist'
    case 'EACCES':
    case 'EPERM':
      return 'may not be read by this user'
    default:
      return messageOf(error)
  }
}
