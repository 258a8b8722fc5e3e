/** `holdfast user`: `add`, `passwd`, `list` and `remove`. They work on the users file; no gateway need run. */
import { relative } from 'node:path'
import { Command } from 'commander'
import type { User, Users } from '../access/users-file.ts'
import { printItems } from './rows.ts'

type Options = { readonly config?: string; readonly usersFile?: string }
type AddOptions = Options & {
  readonly role?: readonly string[]
  readonly passwordFile?: string
  readonly certificate?: boolean
}
type ListOptions = Options & { readonly json?: boolean }

const passwordText = `
The password is asked for without showing it; without a terminal it is the first line of standard input. It is kept as a
hash alone. A gateway that runs takes the change within a second and closes the connections that it concerns.`

export function userCommand(): Command {
  return new Command('user')
    .description('who may come to the broker: add, change, list and remove users')
    .addHelpText(
      'after',
      `
As soon as there is a user, clients without one are not let in any more, unless broker.anonymous names a role for them, and
the broker listens beyond this machine. What users may do is written in broker.roles; device, reader and admin are there.

Examples:
  $ holdfast user add pump-1
  $ holdfast user add dashboard --role reader --password-file /run/secrets/dashboard
  $ holdfast user add boiler --certificate
  $ holdfast user list
  $ holdfast user remove pump-1`,
    )
    .addCommand(addCommand())
    .addCommand(passwdCommand())
    .addCommand(listCommand())
    .addCommand(removeCommand())
}

function withUsers(command: Command): Command {
  return command
    .option('--config <FILE>', 'the configuration, which names the users file and the roles')
    .option('--users-file <FILE>', 'the users file, instead of the one that the configuration names')
}

function addCommand(): Command {
  return withUsers(new Command('add'))
    .description('add a user')
    .argument('NAME', 'its name: letters, digits and . _ @ : -')
    .option('--role <ROLE...>', 'what it may do; default device')
    .option('--password-file <FILE>', 'read the password from this file')
    .option('--certificate', 'it has no password: the common name of its certificate is NAME')
    .addHelpText('after', passwordText)
    .action(async (name: string, { role = ['device'], certificate = false, passwordFile, ...options }: AddOptions) => {
      const { changeUsers, refuseArgument, requireRoles, requireUserName, usersPlace } = await import(
        './user/change.ts'
      )
      const { askPassword } = await import('./user/password.ts')
      const { hashPassword } = await import('../access/password.ts')
      requireUserName(name)
      if (certificate && passwordFile !== undefined) {
        throw refuseArgument('a user has a password or a certificate', 'leave out --password-file or --certificate')
      }
      const { file, roles } = usersPlace(options)
      requireRoles(role, roles)
      const mustBeNew = (users: Users): void => {
        if (!users.has(name)) return
        throw refuseArgument(
          `there is a user "${name}" already`,
          'change its password with "holdfast user passwd", or remove it first',
        )
      }
      const { readUsers } = await import('../access/users-file.ts')
      // Before anybody is asked for a password.
      mustBeNew(readUsers(file) ?? new Map())
      const password = certificate ? undefined : await hashPassword(await askPassword(name, passwordFile))
      const users = await changeUsers(file, known => {
        mustBeNew(known)
        return new Map(known).set(name, { name, roles: [...new Set(role)], password })
      })
      const first =
        users.size === 1
          ? '\nIt is the first: from now on clients need a user, and the broker listens where broker.listen says, else on every network.'
          : ''
      process.stdout.write(`added ${name} (${role.join(', ')}) to ${shownPath(file)}${first}\n`)
    })
}

function passwdCommand(): Command {
  return withUsers(new Command('passwd'))
    .description('give a user another password')
    .argument('NAME', 'the user')
    .option('--password-file <FILE>', 'read the password from this file')
    .addHelpText('after', passwordText)
    .action(async (name: string, { passwordFile, ...options }: Options & { readonly passwordFile?: string }) => {
      const { changeUsers, requireUser, usersPlace } = await import('./user/change.ts')
      const { askPassword } = await import('./user/password.ts')
      const { hashPassword } = await import('../access/password.ts')
      const { readUsers } = await import('../access/users-file.ts')
      const { file } = usersPlace(options)
      requireUser(name, readUsers(file) ?? new Map(), file)
      const password = await hashPassword(await askPassword(name, passwordFile))
      await changeUsers(file, known => new Map(known).set(name, { ...requireUser(name, known, file), password }))
      process.stdout.write(`changed the password of ${name} in ${shownPath(file)}\n`)
    })
}

function listCommand(): Command {
  return withUsers(new Command('list'))
    .description('show the users')
    .option('--json', 'print a JSON object for each')
    .action(async ({ json = false, ...options }: ListOptions) => {
      const { usersPlace } = await import('./user/change.ts')
      const { readUsers } = await import('../access/users-file.ts')
      const { file } = usersPlace(options)
      const users = [...(readUsers(file) ?? new Map<string, User>()).values()]
      if (users.length === 0 && !json) {
        process.stdout.write(`There are no users in ${shownPath(file)}. Add one with: holdfast user add NAME\n`)
        return
      }
      const forms = users.map(({ name, roles, password }) => ({
        name,
        roles,
        login: password === undefined ? 'certificate' : 'password',
      }))
      await printItems(
        each(forms),
        ['name', 'login', 'roles'],
        form => [form.name, form.login, form.roles.join(', ')],
        json,
      )
    })
}

function removeCommand(): Command {
  return withUsers(new Command('remove'))
    .description('remove a user; its connections are closed')
    .argument('NAME', 'the user')
    .action(async (name: string, options: Options) => {
      const { changeUsers, requireUser, usersPlace } = await import('./user/change.ts')
      const { file } = usersPlace(options)
      const users = await changeUsers(file, known => {
        requireUser(name, known, file)
        return new Map([...known].filter(([other]) => other !== name))
      })
      const last =
        users.size === 0
          ? '\nThere are no users left: the broker takes clients of this machine alone, unless broker.anonymous names a role.'
          : ''
      process.stdout.write(`removed ${name} from ${shownPath(file)}${last}\n`)
    })
}

async function* each<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items
}

/** As a person would name it from here. */
function shownPath(file: string): string {
  const path = relative('', file)
  return path.startsWith('..') ? file : path
}
