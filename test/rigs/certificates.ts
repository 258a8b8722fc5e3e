/**
 * Certificates for tests, made by the `openssl` command: an authority and what it signs, EC P-256, valid from and until
 * when the test says.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export type Signed = { readonly cert: string; readonly key: string }

export type SignOptions = {
  /** Days from now; negative: it has expired. */
  readonly days?: number
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
  sign(name: string, { days = 90, file = name }: SignOptions = {}): Signed {
    const [cert, key, request] = ['pem', 'key', 'csr'].map(end => join(this.folder, `${file}.${end}`)) as [
      string,
      string,
      string,
    ]
    const extensions = join(this.folder, 'extensions')
    writeFileSync(extensions, 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n')
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key]
    openssl('req', ...newKey, '-subj', `/CN=${name}`, '-out', request)
    const signer = ['-CA', this.cert, '-CAkey', this.#key, '-CAcreateserial', '-extfile', extensions]
    openssl('x509', '-req', '-in', request, ...signer, '-days', String(days), '-out', cert)
    return { cert, key }
  }
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' })
}
