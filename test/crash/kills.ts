/**
 * Kill -9 of a whole gateway at random moments, while devices publish to it: over MQTT, with rules, as a person runs it.
 * Each restart must be taken up by the program itself, and at the end every acknowledged reading must be there once.
 */
import { Device, keyOf } from '../end-to-end/devices.ts'
import { eventually, freePort, pause, Site, storeConfig } from '../end-to-end/programs.ts'
import { randomOf } from '../rigs/random.ts'
import type { Counted, Progress } from './part.ts'

const identities = ['both', 'id', 'time', 'both'] as const

export async function killGateways(rounds: number, seed: number, progress: Progress): Promise<Counted> {
  const port = await freePort()
  const site = new Site()
  const devices: Device[] = []
  const problems: string[] = []
  let openedByItself = 0
  try {
    const gateway = site.program('gateway', {
      config: `gateway: { id: gw }\n${storeConfig}\nbroker: { listen: '127.0.0.1:${port}' }\n`,
    })
    await gateway.start()
    for (const [index, identity] of identities.entries())
      devices.push(new Device({ name: `device-${index}`, port, seed: seed + index, qos: 1, identity, limit: 8 }))
    const random = randomOf(seed)
    const count = (): number => devices.reduce((sum, device) => sum + device.acknowledged.length, 0)
    for (let round = 1; round <= rounds; round++) {
      const enough = count() + 1 + random.below(100)
      await eventually(() => {
        if (count() < enough) throw new Error('nothing is acknowledged any more')
      })
      await pause(random.next() * 15)
      await gateway.kill()
      // Each fifth time it is killed again while it starts.
      if (random.below(5) === 0) {
        const { ready } = gateway.spawn()
        await Promise.race([ready, pause(random.next() * 1_000)])
        await gateway.kill()
      }
      await gateway.start()
      openedByItself++
      progress(round, rounds)
    }
    for (const device of devices) device.stopMeasuring()
    await eventually(() => {
      if (!devices.every(device => device.isIdle)) throw new Error('devices still wait for an acknowledgement')
    })
    const readings = await gateway.readings()
    let missing = 0
    for (const device of devices) {
      const stored = readings.filter(reading => reading.device === device.name).map(keyOf)
      const keys = new Set(stored)
      missing += device.acknowledged.filter(key => !keys.has(key)).length
      if (keys.size < stored.length) problems.push(`${device.name} has ${stored.length - keys.size} readings twice`)
    }
    const { store } = await gateway.status()
    return { rounds, acknowledged: count(), missing, openedByItself, repaired: store.repairs, problems }
  } finally {
    for (const device of devices) device.close()
    await site.remove()
  }
}
