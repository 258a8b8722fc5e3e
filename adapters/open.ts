/** The adapters there are. A new one is its own file and one line here. */
import type { Adapter, AdapterKind } from './adapter.ts'
import { cborKind } from './cbor.ts'
import { homieKind } from './homie.ts'
import { influxLineKind } from './influx-line.ts'
import { jsonKind } from './json.ts'
import { modbusKind } from './modbus.ts'
import { numberKind } from './number.ts'
import { shellyKind } from './shelly.ts'
import { sparkplugKind } from './sparkplug-b.ts'
import { tasmotaKind } from './tasmota.ts'
import { senmlKind } from './senml.ts'
import { presenceKind } from './presence.ts'
import { textKind } from './text.ts'
import { zigbee2mqttKind } from './zigbee2mqtt.ts'

export const adapterKinds = [
  jsonKind,
  numberKind,
  textKind,
  cborKind,
  zigbee2mqttKind,
  tasmotaKind,
  shellyKind,
  homieKind,
  senmlKind,
  influxLineKind,
  modbusKind,
  presenceKind,
  sparkplugKind,
] as const satisfies readonly AdapterKind[]

export const adapterNames: readonly string[] = adapterKinds.map(kind => kind.name)

/** The adapter that routes use when they name none. */
export const defaultAdapterName = jsonKind.name

export function findAdapterKind(name: string): AdapterKind | undefined {
  return adapterKinds.find(kind => kind.name === name)
}

/** Opens an adapter with options that configuration has checked; throws where it has not. */
export function openAdapter(name: string, options: unknown): Adapter {
  const kind = findAdapterKind(name)
  if (!kind) throw new Error(`there is no adapter "${name}"; there are: ${adapterNames.join(', ')}`)
  return kind.open(options)
}
