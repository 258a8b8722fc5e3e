/**
 * From the text of a configuration file to a `Config`, or to everything that is wrong with it at once. The environment
 * wins over the file, the file over the defaults. Reads nothing but the files that hold passwords, through a door.
 */
import { dirname, join, resolve } from 'node:path'
import { checkDocument, type Finding, type Path, type Problem } from '../document.ts'
import { socketPathBytesMax } from '../limits.ts'
import type { Config } from './config.ts'
import { readCertifiedName } from './certified-name.ts'
import { crossChecks, type Sections } from './cross-checks.ts'
import { type ConfigDoors, systemDoors } from './doors.ts'
import { applyOverrides, readEnvironment } from './environment.ts'
import { configOf, socketPath } from './resolve.ts'
import { loadingFindings, namedOutside, openingFindings } from './outside-adapters.ts'
import { type ConfigFile, configFile, configFileWith } from './schema.ts'
import { readPassword } from './secrets.ts'
import { withSections } from './shape.ts'

export type LoadedConfig =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** `path` is where the text was read from: relative paths in it start at its folder, and problems name it. */
export function loadConfig(path: string, text: string, doors: ConfigDoors = systemDoors()): LoadedConfig {
  const folder = resolve(dirname(path))
  const environment = readEnvironment(doors.environment, configFile)
  const passwords = new Map<string, string>()
  let certified: string | undefined
  const certifiedName = (sections: Sections): readonly Finding[] => {
    const { name, findings } = readCertifiedName(sections, folder, doors)
    certified = name
    return findings
  }
  const outside = doors.outside ?? namedOutside(text)
  let plain: unknown
  const checked = checkDocument<ConfigFile>(path, text, configFileWith(outside), {
    amend: given => {
      plain = withBroker(applyOverrides(withSections(given, configFile), environment.overrides))
      return plain
    },
    inspect: sections => [
      ...crossChecks(sections, outside),
      ...loadingFindings(plain, outside),
      ...openingFindings(sections.routes ?? [], outside),
      ...certifiedName(sections),
      ...socketPathFits(sections, folder),
      ...readPasswords(sections, folder, doors, passwords),
    ],
  })
  if (checked.ok && environment.problems.length === 0) {
    return { ok: true, config: configOf(checked.value, folder, doors.hostName, passwords, certified, outside) }
  }
  return { ok: false, problems: [...environment.problems, ...(checked.ok ? [] : checked.problems)] }
}

/** What a gateway does without a configuration file. Its data stands in `folder`. */
export function defaultConfig(folder: string, doors: ConfigDoors = systemDoors()): LoadedConfig {
  return loadConfig(join(folder, 'holdfast.yaml'), '', doors)
}

/** A broker is what a gateway is for; only a hub that names none has none, and who turns it off. */
function withBroker(plain: unknown): unknown {
  if (typeof plain !== 'object' || plain === null || Array.isArray(plain)) return plain
  if ('broker' in plain && (plain.broker === 'off' || plain.broker === false)) {
    return Object.fromEntries(Object.entries(plain).filter(([key]) => key !== 'broker'))
  }
  return 'broker' in plain || 'hub' in plain ? plain : { ...plain, broker: {} }
}

function readPasswords(
  sections: Sections,
  folder: string,
  doors: ConfigDoors,
  passwords: Map<string, string>,
): Finding[] {
  const places: { keys: Parameters<typeof readPassword>[0]; path: Path }[] = [
    ...(sections.bridges ?? []).map((keys, index) => ({ keys, path: ['bridges', index] })),
    ...(sections.hub?.broker ? [{ keys: sections.hub.broker, path: ['hub', 'broker'] }] : []),
    ...Object.entries(sections.sources ?? {}).flatMap(([name, keys]) =>
      keys.kind === 'mqtt' ? [{ keys, path: ['sources', name] }] : [],
    ),
    ...Object.entries(sections.hub?.gateways ?? {}).map(([id, keys]) => ({ keys, path: ['hub', 'gateways', id] })),
  ]
  return places.flatMap(({ keys, path }) => {
    const { password, findings } = readPassword(keys, path, folder, doors)
    if (password !== undefined) passwords.set(path.join('.'), password)
    return findings
  })
}

function socketPathFits({ store, api }: Sections, folder: string): Finding[] {
  if (!store || !api) return []
  const socket = socketPath(api.socket, resolve(folder, store.path), folder)
  if (Buffer.byteLength(socket) <= socketPathBytesMax) return []
  const path = api.socket === undefined ? ['store', 'path'] : ['api', 'socket']
  return [
    {
      path,
      message: `${socket} is too long for a socket (at most ${socketPathBytesMax} bytes): set api.socket to a shorter path`,
    },
  ]
}
