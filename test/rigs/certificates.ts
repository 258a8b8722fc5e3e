/**
 * Certificates for tests, made by the `openssl` command: an authority and what it signs, EC P-256, valid from and until
 * when the test says.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { wallMs } from '../../runtime/clock/wall.ts'

export type Signed = { readonly cert: string; readonly key: string }

export type SignOptions = {
  /** Days from now; negative: it has expired. */
  readonly days?: number
  /** It begins so many days from now; left out, now. */
  readonly startsInDays?: number
  /** The file names begin with it; left out, the common name. */
  readonly file?: string
}

export class Authority {
  readonly folder: string
  readonly cert: string
  readonly #key: string

  constructor(folder: string, name = 'ca') {
    this.folder = folder
    this.cert = join(folder, `${name}.pem`)
    this.#key = join(folder, `${name}.key`)
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', this.#key]
    openssl('req', '-x509', ...key, '-subj', `/CN=${name}`, '-days', '3650', '-out', this.cert)
  }

  /** A certificate for this name, and for 127.0.0.1 and localhost as far as servers go. */
  sign(name: string, { days = 90, startsInDays, file = name }: SignOptions = {}): Signed {
    const [cert, key, request] = ['pem', 'key', 'csr'].map(end => join(this.folder, `${file}.${end}`)) as [
      string,
      string,
      string,
    ]
    const extensions = join(this.folder, 'extensions')
    writeFileSync(extensions, 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n')
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key]
    openssl('req', ...newKey, '-subj', `/CN=${name}`, '-out', request)
    if (startsInDays !== undefined) {
      const dates = ['-startdate', dateOf(startsInDays), '-enddate', dateOf(startsInDays + days)]
      this.#signBetween(dates, ['-extfile', extensions, '-in', request, '-out', cert])
      return { cert, key }
    }
    const signer = ['-CA', this.cert, '-CAkey', this.#key, '-CAcreateserial', '-extfile', extensions]
    openssl('x509', '-req', '-in', request, ...signer, '-days', String(days), '-out', cert)
    return { cert, key }
  }

  /** Before OpenSSL 3.4 only its `ca` command knows a beginning, and it wants a ledger. */
  #signBetween(dates: readonly string[], files: readonly string[]): void {
    const [config, ledger] = [join(this.folder, 'ca.cnf'), join(this.folder, 'ledger')]
    writeFileSync(ledger, '')
    const own = `database=${ledger}\nnew_certs_dir=${this.folder}\ndefault_md=sha256\npolicy=names\nunique_subject=no\nrand_serial=yes`
    writeFileSync(config, `[ca]\ndefault_ca=own\n[own]\n${own}\n[names]\ncommonName=supplied\n`)
    const signer = ['-cert', this.cert, '-keyfile', this.#key]
    openssl('ca', '-batch', '-notext', '-config', config, ...signer, ...dates, ...files)
  }
}

/** As `openssl ca` reads it. */
function dateOf(daysFromNow: number): string {
  const date = new Date(wallMs() + daysFromNow * 86_400_000)
  return date.toISOString().replaceAll(/[-:T]|\.\d+/g, '')
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' })
}
