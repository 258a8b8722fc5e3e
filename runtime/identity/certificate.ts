/** What a certificate says of itself, and whether certificate, key and authorities fit together. Reads nothing. */
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { createSecureContext } from 'node:tls'

/** The bytes of the files, as TLS takes them; each is left out where it is not used. */
export type TlsMaterial = {
  readonly ca: Buffer | undefined
  readonly cert: Buffer | undefined
  readonly key: Buffer | undefined
}

export type CertificateFacts = {
  readonly commonName: string | undefined
  /** By the wall clock. */
  readonly beginsMs: number
  readonly expiresMs: number
}

/** Of the first certificate of the file, which is our own. Throws if there is none. */
export function factsOf(cert: Buffer): CertificateFacts {
  const { subject, validFrom, validTo } = new X509Certificate(cert)
  const commonName = /^CN=(.+)$/m.exec(subject)?.[1]
  return { commonName, beginsMs: Date.parse(validFrom), expiresMs: Date.parse(validTo) }
}

/** Throws a sentence that says what does not fit: a file that is half written, or a key of another certificate. */
export function checkMaterial({ ca, cert, key }: TlsMaterial): void {
  const own = cert && read('cert holds no certificate', () => new X509Certificate(cert))
  const ownKey = key && read('key holds no key that can be read', () => createPrivateKey(key))
  if (ca !== undefined) read('ca holds no certificate', () => new X509Certificate(ca))
  if (own && ownKey && !own.checkPrivateKey(ownKey)) throw new Error('the key is not that of the certificate')
  createSecureContext({
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  })
}

/** What OpenSSL says of a file that is something else names neither the file nor what was wanted. */
function read<T>(fault: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw new Error(`the file tls.${fault} in PEM form`, { cause: error })
  }
}
