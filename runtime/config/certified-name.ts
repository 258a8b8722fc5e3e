/**
 * The gateway's id out of its certificate: one configuration for a whole fleet, in which the certificate alone differs.
 * It counts where neither gateway.id nor hub.id is set; a name that is no id, or two names, is an error, because an
 * origin that nobody meant would be in the database for ever.
 */
import { X509Certificate } from 'node:crypto'
import { resolve } from 'node:path'
import type { Finding, Path } from '../document.ts'
import { messageOf, systemCode } from '../errors.ts'
import type { Sections } from './cross-checks.ts'
import type { ConfigDoors } from './doors.ts'
import { originId } from './values.ts'

export type CertifiedName = { readonly name: string | undefined; readonly findings: readonly Finding[] }

export function readCertifiedName(sections: Sections, folder: string, doors: ConfigDoors): CertifiedName {
  const isNamed = sections.gateway?.id !== undefined || sections.hub?.id !== undefined
  if (isNamed) return { name: undefined, findings: [] }
  const names = new Map<string, Path>()
  const findings: Finding[] = []
  for (const [index, { tls }] of (sections.bridges ?? []).entries()) {
    if (tls?.cert === undefined) continue
    const path: Path = ['bridges', index, 'tls', 'cert']
    const read = commonNameOf(resolve(folder, tls.cert), doors)
    if (read.ok) names.set(read.name, path)
    else findings.push({ path, message: `${read.fault}; or set gateway.id` })
  }
  const [name, ...others] = names.keys()
  for (const other of others) {
    const message = `this certificate names "${other}" and another bridge's names "${name}": set gateway.id`
    findings.push({ path: names.get(other) ?? ['bridges'], message })
  }
  return { name, findings }
}

type Read = { readonly ok: true; readonly name: string } | { readonly ok: false; readonly fault: string }

function commonNameOf(file: string, doors: ConfigDoors): Read {
  const read = doors.readFile ?? doors.readSecret
  try {
    const { subject } = new X509Certificate(read(file).text)
    const name = /^CN=(.+)$/m.exec(subject)?.[1] ?? ''
    if (name === '') return { ok: false, fault: `${file} has no common name (CN) to name this gateway` }
    if (originId.safeParse(name).success) return { ok: true, name }
    const fault = `the common name "${name}" of ${file} is no gateway id: an id has 1 to 64 letters, digits, _ or -`
    return { ok: false, fault }
  } catch (error) {
    return { ok: false, fault: `${file} ${systemCode(error) === 'ENOENT' ? 'does not exist' : messageOf(error)}` }
  }
}
