/** What the listeners of the broker and their certificate must say of each other. Pure. */
import type { Finding } from '../document.ts'
import type { ConfigFile } from './schema.ts'

type Broker = NonNullable<ConfigFile['broker']>

export function listenerChecks({ broker }: Partial<ConfigFile>): Finding[] {
  return broker ? [...certificateChecks(broker), ...originChecks(broker)] : []
}

function originChecks({ listen = [], websocket_origins: origins }: Broker): Finding[] {
  if (origins.length === 0 || listen.some(({ kind }) => kind === 'ws' || kind === 'wss')) return []
  const message = 'no listener is a WebSocket: write ws:// or wss:// in broker.listen, or leave websocket_origins out'
  return [{ path: ['broker', 'websocket_origins'], message, onKey: true }]
}

/** Certificates that nobody is shown, and listeners that have none to show, are not what was meant. */
function certificateChecks({ listen = [], tls }: Broker): Finding[] {
  const secure = listen.findIndex(({ kind }) => kind === 'mqtts' || kind === 'wss')
  if (tls === undefined) {
    if (secure === -1) return []
    const message = 'a listener that speaks TLS needs a certificate: set broker.tls.cert and broker.tls.key'
    return [{ path: ['broker', 'listen', secure], message }]
  }
  const findings: Finding[] = []
  if (secure === -1) {
    const message = 'no listener shows this certificate: write mqtts:// or wss:// in broker.listen, or leave tls out'
    findings.push({ path: ['broker', 'tls'], message, onKey: true })
  }
  const asks = tls.client_certificates
  if (tls.ca === undefined && asks !== undefined && asks !== 'none') {
    const message = 'certificates of clients need an authority that vouches for them: set broker.tls.ca'
    findings.push({ path: ['broker', 'tls', 'client_certificates'], message })
  }
  if (tls.ca !== undefined && asks === 'none') {
    const message = 'has no effect while client_certificates is none: clients are not asked for a certificate'
    findings.push({ path: ['broker', 'tls', 'ca'], message, onKey: true })
  }
  return findings
}
