/**
 * Errors as a caller sees them: a status and `{code, message, hint}`. What we did not foresee is logged with its stack and
 * told as INTERNAL without it.
 */
import { type ErrorCode, HoldfastError, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { bodyBytesMax } from './limits.ts'

export type FaultForm = { readonly code: string; readonly message: string; readonly hint: string }

const statuses: Partial<Record<ErrorCode, number>> = {
  API_BUSY: 503,
  BAD_ARGUMENT: 400,
  BAD_CONFIG: 422,
  BAD_RULES: 422,
  BODY_TOO_LARGE: 413,
  NOT_FOUND: 404,
  RECORD_TOO_LARGE: 413,
  STORE_CLOSED: 503,
  STORE_FAILED: 503,
  STORE_FULL: 507,
  TABLE_KIND: 409,
  TABLE_UNKNOWN: 404,
  TOO_MANY_SERIES: 409,
}

export function faultForm(error: unknown, log: Log): FaultForm {
  if (error instanceof HoldfastError) return { code: error.code, message: error.message, hint: error.hint }
  const stack = error instanceof Error ? error.stack : undefined
  log.error({ reason: messageOf(error), stack }, 'a request to the control surface failed')
  return { code: 'INTERNAL', message: 'the gateway could not answer', hint: 'its log says why' }
}

export function faultResponse(error: unknown, log: Log): Response {
  const status = error instanceof HoldfastError ? (statuses[error.code] ?? 500) : 500
  return jsonResponse(faultForm(error, log), status)
}

export function jsonResponse(value: unknown, status = 200): Response {
  const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' }
  return new Response(`${JSON.stringify(value)}\n`, { status, headers })
}

export const bodyTooLarge = (hint = 'store less per row'): HoldfastError =>
  new HoldfastError('BODY_TOO_LARGE', `the body has more than ${bodyBytesMax} bytes`, hint)
