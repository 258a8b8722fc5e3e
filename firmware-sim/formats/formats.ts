/** The formats that pretend devices speak. A new one is its own file and one line here. */
import { cbor } from './cbor.ts'
import type { Format } from './format.ts'
import { homie } from './homie.ts'
import { influxLine } from './influx-line.ts'
import { json, number } from './json.ts'
import { senml, senmlCbor } from './senml.ts'
import { shelly } from './shelly.ts'
import { sparkplug } from './sparkplug-b.ts'
import { tasmota } from './tasmota.ts'
import { text } from './text.ts'
import { zigbee2mqtt } from './zigbee2mqtt.ts'

export const formats: readonly Format[] = [
  json,
  number,
  text,
  cbor,
  senml,
  senmlCbor,
  influxLine,
  zigbee2mqtt,
  tasmota,
  shelly,
  homie,
  sparkplug,
]

export function formatNamed(name: string): Format {
  return formats.find(format => format.name === name) ?? json
}
