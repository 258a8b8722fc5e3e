/**
 * Who we are and whom we know, at each end of a link: takes the files of the configuration to the identity room, and
 * hands the rooms that connect and listen the doors that they ask for. Part of the composition root.
 */
import { randomUUID } from 'node:crypto'
import type { BrokerTls } from './broker/listen.ts'
import { wallMs } from './clock/wall.ts'
import type { GatewayPasswords } from './cloud/access.ts'
import type { BrokerTlsConfig, ClientTlsConfig, Config, HubConfig } from './config/config.ts'
import { HoldfastError } from './errors.ts'
import { expiryWarning, Identity, type IdentityDoors, type IdentityFiles } from './identity/identity.ts'
import type { Log } from './log.ts'
import { restoredChanges } from './replication/restored.ts'
import type { LinkSecrets } from './replication/link/link.ts'
import { systemTime } from './replication/time.ts'
import type { Store } from './store/store.ts'

export type Closers = (() => Promise<void>)[]

type Client = {
  readonly password: string | undefined
  readonly passwordFile: string | undefined
  readonly tls: ClientTlsConfig | undefined
}

/** For a link. Files that are not in order keep it from connecting, and nothing else from running. */
export async function openClientSecrets(
  { password, passwordFile, tls }: Client,
  log: Log,
  closers: Closers,
): Promise<LinkSecrets | undefined> {
  if (passwordFile === undefined && tls === undefined) return undefined
  const { ca, cert, key } = tls ?? {}
  const identity = await openIdentity({ ca, cert, key, password: passwordFile }, log, closers)
  return {
    current: () => {
      const { material, problem } = identity
      const isMissing = [
        cert !== undefined && material.cert === undefined,
        ca !== undefined && material.ca === undefined,
        passwordFile !== undefined && identity.password === undefined,
      ].includes(true)
      if (isMissing) throw new Error(problem ?? 'a file of the certificate is missing')
      return {
        password: passwordFile === undefined ? password : identity.password,
        tls: tls && { ...material, servername: tls.serverName },
      }
    },
    warning: () => expiryWarning(identity.expiresMs, wallMs()) ?? identity.problem,
    expiresMs: () => identity.expiresMs,
    onChange: run => identity.onChange(run),
  }
}

/** For the listeners of `room`. Without a certificate they cannot begin. */
export async function openServerTls(
  room: 'broker' | 'hub',
  { clientCertificates, ...files }: BrokerTlsConfig,
  log: Log,
  closers: Closers,
): Promise<{ readonly tls: BrokerTls; readonly warning: () => string | undefined }> {
  const identity = await openIdentity(files, log, closers)
  const material = (): ReturnType<BrokerTls['material']> => {
    const { cert, key, ca } = identity.material
    if (cert !== undefined && key !== undefined && (files.ca === undefined || ca !== undefined))
      return { cert, key, ca }
    throw new HoldfastError(
      'FILE_UNREADABLE',
      `the ${room} has no certificate to listen with: ${identity.problem ?? 'it is missing'}`,
      `put ${room}.tls.cert, ${room}.tls.key and ${room}.tls.ca in order; the key must be that of the certificate`,
    )
  }
  material()
  return {
    tls: { material, clientCertificates, onChange: run => identity.onChange(run) },
    warning: () => expiryWarning(identity.expiresMs, wallMs()) ?? identity.problem,
  }
}

/** The passwords of gateways, those from files as the files are now. */
export async function openGatewayPasswords(
  gateways: HubConfig['gateways'],
  log: Log,
  closers: Closers,
): Promise<() => GatewayPasswords | undefined> {
  if (gateways === undefined) return () => undefined
  const known = new Map<string, string | undefined>()
  for (const [id, { password, file }] of gateways) {
    known.set(id, password)
    if (file === undefined) continue
    const identity = await openIdentity({ password: file }, log, closers)
    const take = (): void => void known.set(id, identity.password ?? password)
    take()
    identity.onChange(take)
  }
  return () => known
}

const originOwner = 'origin'

/**
 * A database has one origin: the id under which it says who committed what. Under another its old rows would be a
 * stranger's, and its peers would take its next entries for those of somebody new. Returns the id to go by: a host that
 * merely has another name now keeps that of its database. Throws ORIGIN_CHANGED where somebody named another.
 */
export async function keepOrigin(store: Store, { id, isNamed }: Config['gateway'], log: Log): Promise<string> {
  const state = store.states(originOwner).get('id')
  const known = typeof state === 'string' ? state : undefined
  if (known === id) return id
  if (known === undefined) {
    await store.commit([{ kind: 'state', owner: originOwner, key: 'id', value: id }])
    return id
  }
  if (!isNamed) {
    log.warn({ gateway: known, host: id }, 'the host has another name now: the gateway keeps the id of its database')
    return known
  }
  throw new HoldfastError(
    'ORIGIN_CHANGED',
    `this database is that of "${known}", and the configuration names this gateway "${id}"`,
    `set gateway.id: ${known}, or give the new gateway a folder of its own with store.path`,
  )
}

/** The streams of a database that was restored go on as they must, from the first opening on. */
export async function settleRestored(store: Store, log: Log): Promise<void> {
  const changes = restoredChanges(store, () => randomUUID().slice(0, 8))
  if (changes.length === 0) return
  await store.commit(changes, 'now')
  log.info({ gateway: store.origin }, 'the database was restored from a backup: its streams go on from there')
}

/** The configuration of a gateway whose database knows it under another id. */
export function withOrigin(config: Config, id: string): Config {
  const bridges = config.bridges.map(bridge =>
    bridge.username === config.gateway.id ? { ...bridge, username: id } : bridge,
  )
  return { ...config, gateway: { ...config.gateway, id }, hub: config.hub && { ...config.hub, id }, bridges }
}

async function openIdentity(files: IdentityFiles, log: Log, closers: Closers): Promise<Identity> {
  const doors: IdentityDoors = { wallMs, after: systemTime.after, log }
  const identity = await Identity.open(files, doors)
  closers.push(async () => identity.close())
  return identity
}
