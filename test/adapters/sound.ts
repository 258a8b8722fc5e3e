/** What holds for whatever an adapter gives back, whatever the bytes were. */
import assert from 'node:assert/strict'
import type { Decoded } from '../../adapters/adapter.ts'
import { idFault, nameFault, unitFault } from '../../adapters/names.ts'
import { valueFault } from '../../adapters/value.ts'
import { deviceTimeMsEnd, readingsPerMessageMax, reasonCharactersMax } from '../../runtime/limits.ts'

export function assertSound(decoded: Decoded): void {
  for (const { device } of decoded.more?.presence ?? []) assert.equal(nameFault('the device', device), undefined)
  if (!decoded.ok) {
    assert.ok(decoded.reason.length > 0 && decoded.reason.length <= reasonCharactersMax, decoded.reason)
    assert.doesNotMatch(decoded.reason, /\p{Cc}/u)
    return
  }
  assert.ok(decoded.readings.length > 0 || decoded.more, 'a message that says nothing says so')
  assert.ok(decoded.readings.length <= readingsPerMessageMax)
  for (const { device, metric, value, deviceTimeMs, id, unit } of decoded.readings) {
    assert.equal(nameFault('the device', device), undefined)
    assert.equal(nameFault('the metric', metric), undefined)
    assert.equal(valueFault(value), undefined)
    assert.deepEqual(JSON.parse(JSON.stringify(value)), Object.is(value, -0) ? 0 : value, 'JSON can carry it')
    assert.ok(
      deviceTimeMs === undefined ||
        (Number.isInteger(deviceTimeMs) && deviceTimeMs >= 0 && deviceTimeMs < deviceTimeMsEnd),
    )
    if (id !== undefined) assert.equal(idFault(id.slice(0, 256)), undefined)
    if (unit !== undefined) assert.equal(unitFault(unit), undefined)
  }
}
