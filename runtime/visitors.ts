/**
 * Who may come to the broker of the LAN, put together: the users file, the roles of the configuration, and where the
 * broker listens, which follows from them. Part of the composition root.
 */
import { Doorkeeper } from './access/doorkeeper.ts'
import { placesToListen } from './access/listening.ts'
import { UserList } from './access/users.ts'
import type { Access } from './broker/access.ts'
import type { Broker } from './broker/broker.ts'
import { urlOf } from './broker/listen.ts'
import type { BrokerConfig } from './config/config.ts'
import { type Listener, usualListener } from './config/listeners.ts'
import { messageOf } from './errors.ts'
import type { House } from './house.ts'
import type { Log } from './log.ts'

export type Visitors = {
  readonly access: Access
  /** Where to listen, as things are now. */
  readonly places: () => readonly Listener[]
  /** Nobody has said yet who may come in. */
  readonly isFirstRun: () => boolean
  /** What somebody who looks at the gateway should know of who may come in. */
  readonly warnings: () => readonly string[]
  /** Reads the users file now, and takes the roles of this configuration, if there is one. True if all is in force. */
  readonly reload: (options: BrokerConfig | undefined) => boolean
  /** Called after each change of who may come in and do what. */
  readonly onChange: (run: () => void) => void
}

/** The sentence of the first run. */
const firstRun =
  'no users yet: the broker takes clients of this machine alone, and lets them do everything; open it to the network with "holdfast user add NAME"'

export function openVisitors({ log, closers, time }: House, options: BrokerConfig): Visitors {
  const room = log.child({ room: 'access' })
  const users = UserList.open(options.access.usersFile, { after: time.board.after, log: room })
  closers.push(async () => users.close())
  const door = new Doorkeeper(users, options.access)
  const heard = new Set<() => void>()
  const tellOfRoles = (): void => {
    for (const { name, roles } of users.all()) {
      const unknown = roles.filter(role => !door.knowsRole(role))
      if (unknown.length > 0) room.warn({ user: name, roles: unknown }, 'a user has roles that are not there')
    }
  }
  const changed = (): void => {
    tellOfRoles()
    for (const run of heard) run()
  }
  users.onChange(changed)
  tellOfRoles()
  return {
    access: {
      authenticate: login => door.authenticate(login),
      standIn: (user, client) => door.standIn(user, client),
    },
    places: () =>
      placesToListen(options.listen, usualListener, { isFirstRun: door.isFirstRun, hasUsers: users.count > 0 }),
    isFirstRun: () => door.isFirstRun,
    warnings: () => [door.isFirstRun ? firstRun : undefined, users.problem].filter(text => text !== undefined),
    reload: reread => {
      if (reread !== undefined && formOf(reread) !== formOf(options)) {
        const { roles, anonymous } = reread.access
        options = { ...options, access: { ...options.access, roles, anonymous } }
        door.take(options.access)
        room.info({ roles: [...roles.keys()], anonymous }, 'roles have changed and are in force')
        changed()
      }
      return users.look()
    },
    onChange: run => void heard.add(run),
  }
}

const formOf = ({ access }: BrokerConfig): string => JSON.stringify([[...access.roles], access.anonymous])

/** An address that cannot be had may be free a moment later: another program ends, a network comes up. */
const listenAgainMs = 2_000

/**
 * Has the broker follow each change: who may not come any more goes, and it listens where it should, also if it could not
 * at once.
 */
export function keepTo(
  visitors: Visitors,
  broker: Broker,
  { closers, time }: Pick<House, 'closers' | 'time'>,
  log: Log,
): { readonly problem: () => string | undefined } {
  let problem: string | undefined
  let stopWaiting = (): void => undefined
  closers.push(async () => stopWaiting())
  let places = JSON.stringify(visitors.places())
  let turn = Promise.resolve()
  const move = async (): Promise<void> => {
    stopWaiting()
    const wanted = visitors.places()
    if (JSON.stringify(wanted) === places) return
    places = JSON.stringify(wanted)
    try {
      await broker.listenOn(wanted)
      problem = undefined
      log.info({ broker: broker.addresses().map(urlOf) }, 'the broker listens elsewhere now: who may come has changed')
    } catch (error) {
      const reason = messageOf(error)
      if (reason !== problem) log.error({ reason }, 'the broker does not listen where it should: it is tried again')
      problem = reason
      places = 'nowhere'
      stopWaiting = time.board.after(listenAgainMs, () => {
        turn = turn.then(move)
      })
    }
  }
  if (visitors.isFirstRun()) log.warn(firstRun)
  visitors.onChange(() => {
    if (visitors.isFirstRun()) log.warn(firstRun)
    broker.review()
    turn = turn.then(move)
  })
  return { problem: () => problem }
}
