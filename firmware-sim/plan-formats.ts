/** What a format cannot say, told when the plan is read and not when a device is first heard saying it. */
import { formatNamed } from './formats/formats.ts'
import { groupSchema, type WrittenGroup } from './plan-schema.ts'
import { nameHint, type Complaint } from './plan-text.ts'
import type { Metric } from './waves.ts'

type Example = { readonly name: string; readonly metrics: readonly Metric[] }

/** `exampleOf` gives one device of a group: they differ in a number alone. Groups with other problems are left to those. */
export function formatComplaints(plain: unknown, exampleOf: (group: WrittenGroup) => Example | undefined): Complaint[] {
  const groups = (plain as { devices?: unknown } | null)?.devices
  if (!Array.isArray(groups)) return []
  return groups.flatMap((group: unknown, index) => {
    const read = groupSchema.safeParse(group)
    return read.success ? complaintsOf(read.data, exampleOf(read.data), ['devices', index]) : []
  })
}

function complaintsOf(group: WrittenGroup, example: Example | undefined, path: (string | number)[]): Complaint[] {
  const format = formatNamed(group.payload)
  const complaints: Complaint[] = []
  const cannot = example && format.complaint?.(example.name, example.metrics)
  if (cannot !== undefined)
    complaints.push({ path: [...path, 'payload'], message: `"payload": ${format.name}: ${cannot}` })
  const faults = group.faults.format
  if (faults === undefined) return complaints
  const at = [...path, 'faults', 'format']
  if (format.faults.length === 0) {
    complaints.push({ path: at, message: `"format": ${format.name} has no faults of its own` })
  }
  for (const [index, kind] of (faults.kinds ?? []).entries()) {
    if (format.faults.length === 0 || format.faults.includes(kind)) continue
    const message = `item ${index + 1}: unknown name "${kind}"${nameHint(kind, format.faults)}`
    complaints.push({ path: [...at, 'kinds', index], message })
  }
  return complaints
}
