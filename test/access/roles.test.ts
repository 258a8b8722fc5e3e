import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { rightsOf } from '../../runtime/access/roles.ts'
import { builtInRoles } from '../../runtime/config/access-schema.ts'

const { device, reader, admin } = builtInRoles
assert.ok(device && reader && admin)
const none = { publish: [], subscribe: [], devices: undefined }

describe('a role', () => {
  it('lets a device write and name itself alone, and hear its own commands', () => {
    const pump = rightsOf([device], { user: 'pump', client: 'c' })
    assert.deepEqual(
      ['sensors/pump/t', 'sensors/pump2/t', 'sensors', 'commands/pump/x', 'holdfast/alerts'].map(pump.mayPublish),
      [true, false, false, false, false],
    )
    assert.deepEqual(
      ['commands/pump/#', 'commands/pump/x', 'commands/#', 'commands/+/x', '#', '$SYS/#'].map(pump.maySubscribe),
      [true, true, false, false, false, false],
    )
    assert.deepEqual(
      ['pump', 'pump2', ''].map(name => pump.mayName?.(name)),
      [true, false, false],
    )
  })

  it('lets a reader hear everything but $SYS, and say nothing', () => {
    const rights = rightsOf([reader], { user: 'r', client: 'c' })
    assert.deepEqual(
      [rights.mayPublish('a'), rights.maySubscribe('#'), rights.maySubscribe('$SYS/#')],
      [false, true, false],
    )
    assert.deepEqual([rights.mayReceive('a/b'), rights.mayReceive('$SYS/broker/uptime')], [true, false])
  })

  it("never lets anybody write what is the gateway's own", () => {
    const rights = rightsOf([admin, { ...none, publish: ['holdfast/#'] }], { user: 'a', client: 'c' })
    assert.deepEqual(['holdfast/alerts', 'holdfast', 'holdfasts'].map(rights.mayPublish), [false, false, true])
  })

  it('adds to the others of its user', () => {
    const rights = rightsOf([device, reader], { user: 'pump', client: 'c' })
    assert.deepEqual([rights.mayPublish('sensors/pump/t'), rights.maySubscribe('#')], [true, true])
    assert.equal(rights.mayName, undefined, 'one that names no devices allows any')
  })

  it('gives nothing for {user} to clients without one, and nothing for names that are no level', () => {
    const role = { publish: ['x/{user}/#'], subscribe: ['{client}/#'], devices: ['{user}'] }
    const nobody = rightsOf([role], { user: undefined, client: 'c' })
    assert.deepEqual([nobody.mayPublish('x/undefined/a'), nobody.mayName?.('undefined')], [false, false])
    for (const client of ['+', '#', 'a/b', '$SYS', '']) {
      assert.equal(rightsOf([role], { user: 'u', client }).maySubscribe(`${client}/#`), false, client)
    }
  })

  it('names devices with * for any characters, in which a name of a user is only a name', () => {
    const test = (pattern: string, device: string, user = 'u'): boolean | undefined =>
      rightsOf([{ ...none, devices: [pattern] }], { user, client: 'c' }).mayName?.(device)
    assert.deepEqual(
      [
        test('{user}', 'u'),
        test('{user}/*', 'u/lamp'),
        test('{user}/*', 'u'),
        test('a*b*c', 'a1b2c'),
        test('a*a', 'a'),
      ],
      [true, true, false, true, false],
    )
    assert.equal(test('{user}', 'anything', '*'), false)
    assert.equal(test('{user}', '$&', '$&'), true)
  })

  it('forgets verdicts as they become many, and gives the same ones', () => {
    const rights = rightsOf([device], { user: 'pump', client: 'c' })
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^sensors\/(pump|other)\/[0-9]{1,3}$/), { maxLength: 200 }), topics => {
        for (const topic of topics) assert.equal(rights.mayPublish(topic), topic.startsWith('sensors/pump/'))
      }),
      { numRuns: 20 },
    )
  })
})
