/**
 * Why a connection or an attempt ended, in a sentence that says what to do. Pure: from an error, or from MQTT's code, to
 * a kind that the link acts upon and a reason that a person reads.
 */
import { messageOf, systemCode } from '../../errors.ts'

/**
 * `version`: the broker does not speak this version of MQTT. `login`: it does not know us. `certificate`: one of the two
 * certificates is not believed. `clock`: it is, but for our own clock. `name`: no address for the host. `unreachable`,
 * `timeout`: nobody there. `taken-over`: another client came with our id. `closed`: the far side closed without a word.
 * `refused`: it said no. `silent`: connected, and no answer. `renewed`: we ended it ourselves, to begin anew.
 */
export type MishapKind =
  | 'version'
  | 'login'
  | 'certificate'
  | 'clock'
  | 'name'
  | 'unreachable'
  | 'timeout'
  | 'taken-over'
  | 'closed'
  | 'refused'
  | 'silent'
  | 'renewed'

export type Mishap = { readonly kind: MishapKind; readonly reason: string }

export type Surroundings = {
  readonly host: string
  readonly clientId: string
  /** By the wall clock, and whether that clock can be believed. */
  readonly wallMs: number
  readonly clockTrusted: boolean
}

export const closedByFarSide: Mishap = { kind: 'closed', reason: 'the connection was closed by the far side' }

/** Closed again and again though nothing was said that could be the cause: 3.1.1 has no other words for a takeover. */
export function closedAgainAndAgain(clientId: string): Mishap {
  const reason = `the far side closes our connection again and again: does another client use our client id "${clientId}"?`
  return { kind: 'taken-over', reason }
}

/** Over TLS, some servers close on a certificate that they do not accept without a word; Node's does. */
export function closedOverCertificate({ reason }: Mishap): Mishap {
  const hint = 'does it trust the authority that signed tls.cert, and is that certificate valid?'
  return { kind: 'certificate', reason: `${reason} before it let us in: ${hint}` }
}

/** A port for TLS has no word for a client without it. */
export function closedWithoutTls({ kind, reason }: Mishap): Mishap {
  return {
    kind,
    reason: `${reason} before it let us in: does this port speak TLS, so that the url begins with mqtts://?`,
  }
}

const versionCodes = new Set([1, 132])
const loginCodes = new Set([4, 5, 134, 135, 138, 140])
export const takenOverCode = 142

/** MQTT's own refusal: a CONNACK that is not 0, or a DISCONNECT of MQTT 5. */
export function mishapOfCode(code: number, words: string, { clientId }: Surroundings): Mishap {
  if (versionCodes.has(code)) return { kind: 'version', reason: 'the broker does not speak this version of MQTT' }
  if (loginCodes.has(code)) {
    const hint = 'check username and password (or the certificate) of the bridge, and that the far side knows them'
    return { kind: 'login', reason: `the broker does not let us in (${words}, code ${code}): ${hint}` }
  }
  if (code === takenOverCode) {
    const hint = 'each gateway and each bridge needs a name of its own'
    return { kind: 'taken-over', reason: `another client has taken over our client id "${clientId}": ${hint}` }
  }
  return { kind: 'refused', reason: `the broker refused the connection (${words || 'no words'}, code ${code})` }
}

/** What the socket, TLS or mqtt.js threw. */
export function mishapOf(error: Error, around: Surroundings): Mishap {
  const message = messageOf(error)
  const { code: number } = error as { code?: unknown }
  if (typeof number === 'number') return mishapOfCode(number, message, around)
  const code = systemCode(error) ?? ''
  const { host } = around
  if (message === 'connack timeout') return { kind: 'timeout', reason: `no answer from ${host} within the time limit` }
  if (code === 'CERT_NOT_YET_VALID' || code === 'CERT_HAS_EXPIRED') return validity(code, around)
  if (certificateReasons[code] !== undefined) {
    return { kind: 'certificate', reason: `${certificateReasons[code]} (${code})`.replaceAll('{host}', host) }
  }
  // The far side's word about our certificate comes as an alert of TLS.
  if (/alert (?:bad certificate|unknown ca|certificate|unsupported certificate|access denied)/i.test(message)) {
    const hint = 'check tls.cert, and that the far side trusts the authority that signed it'
    return {
      kind: 'certificate',
      reason: `the far side does not accept our certificate (${alertOf(message)}): ${hint}`,
    }
  }
  if (code.startsWith('ERR_SSL') || code === 'EPROTO') {
    const hint = 'does this port speak TLS, and version 1.2 or later?'
    return { kind: 'certificate', reason: `no TLS with ${host} (${code}): ${hint}` }
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'ENODATA') {
    return { kind: 'name', reason: `no address for the name ${host} (${code}): check the url and the name server` }
  }
  if (code === 'ECONNRESET' || code === 'EPIPE')
    return { ...closedByFarSide, reason: `${closedByFarSide.reason} (${code})` }
  if (code === 'ECONNREFUSED') return { kind: 'unreachable', reason: `nothing listens there (${message})` }
  if (code === 'ETIMEDOUT') return { kind: 'timeout', reason: message }
  if (code.startsWith('E')) return { kind: 'unreachable', reason: message || code }
  return { kind: 'closed', reason: message || closedByFarSide.reason }
}

const certificateReasons: Readonly<Record<string, string>> = {
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate of the far side is not for {host}: set tls.server_name to its name',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate of the far side signed itself: name it in tls.ca if it is meant',
  SELF_SIGNED_CERT_IN_CHAIN: 'the authority of the far side is not one that we trust: name its certificate in tls.ca',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'who signed the certificate of the far side is not known: name it in tls.ca',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'who signed the certificate of the far side is not known: name it in tls.ca',
  UNABLE_TO_GET_ISSUER_CERT: 'who signed the certificate of the far side is not known: name it in tls.ca',
  CERT_SIGNATURE_FAILURE: 'the certificate of the far side was not signed by the authority in tls.ca',
  CERT_REVOKED: 'the certificate of the far side was revoked',
  CERT_UNTRUSTED: 'the certificate of the far side is not trusted',
  CERT_REJECTED: 'the certificate of the far side was rejected',
  INVALID_CA: 'the authority that signed the certificate of the far side may not do so',
  INVALID_PURPOSE: 'the certificate of the far side is not meant for a server',
}

/** A certificate that is too young or too old: by a clock that may itself be the culprit. */
function validity(code: string, { wallMs, clockTrusted }: Surroundings): Mishap {
  const now = `${new Date(wallMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`
  const isYoung = code === 'CERT_NOT_YET_VALID'
  const what = `the certificate of the far side ${isYoung ? 'is not yet valid' : 'has expired'}, by our clock at ${now}`
  if (!clockTrusted) {
    const hint = 'our own clock is probably wrong; it connects by itself once the clock is set'
    return { kind: 'clock', reason: `${what}: ${hint}` }
  }
  const hint = isYoung ? 'see when it begins; it may have to be renewed there' : 'it has to be renewed there'
  return { kind: 'certificate', reason: `${what}, which is trusted: ${hint}` }
}

function alertOf(message: string): string {
  return /alert [a-z ]+/i.exec(message)?.[0].trim() ?? message
}
