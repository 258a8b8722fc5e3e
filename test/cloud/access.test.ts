import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { GatewayUsers, twoNames } from '../../runtime/cloud/access.ts'

const up = (gateway: string): string => `holdfast/v1/${gateway}/up/hello`
const password = (text: string): Buffer => Buffer.from(text)

/** The gateway that this login is of, or undefined. */
function admit(users: GatewayUsers, user?: string, password?: Buffer, certificateName?: string) {
  const visitor = users.authenticate({ user, password, certificateName })
  return visitor === 'denied' ? undefined : visitor
}

const isIn = (...login: Parameters<typeof admit>): boolean => admit(...login) !== undefined

describe('the gateways of a hub', () => {
  it('come in with their own password alone, where passwords are set', () => {
    const passwords = new Map([
      ['gw-1', 'right'],
      ['gw-2', 'other'],
    ])
    const users = new GatewayUsers(() => passwords)
    assert.equal(admit(users, 'gw-1', password('right'))?.user, 'gw-1')
    assert.equal(isIn(users, 'gw-1', password('other')), false)
    assert.equal(isIn(users, 'gw-1', undefined), false)
    assert.equal(isIn(users, 'gw-9', password('right')), false)
    assert.equal(isIn(users, undefined, password('right')), false)
  })

  it('need a name that can stand in a topic, also where no passwords are set', () => {
    const users = new GatewayUsers(() => undefined)
    assert.equal(isIn(users, 'gw-1'), true)
    for (const name of ['', '+', '#', 'a/b', 'gw 1', '__proto__/x']) assert.equal(isIn(users, name), false, name)
  })

  it('write and read their own topics alone', () => {
    const gateway = admit(new GatewayUsers(() => undefined), 'gw-1')
    assert.equal(gateway?.mayPublish(up('gw-1')), true)
    assert.equal(gateway?.mayPublish(up('gw-2')), false)
    assert.equal(gateway?.maySubscribe('holdfast/v1/gw-1/down/#'), true)
    assert.equal(gateway?.maySubscribe('holdfast/v1/gw-2/down/#'), false)
    assert.equal(gateway?.mayReceive('holdfast/v1/gw-1/down/hello'), true)
    assert.equal(gateway?.mayReceive('holdfast/v1/gw-2/down/hello'), false)
  })

  it('are not the same any more once their password has changed', () => {
    const passwords = new Map([['gw-1', 'right']])
    const gateway = admit(new GatewayUsers(() => passwords), 'gw-1', password('right'))
    assert.equal(gateway?.isCurrent(), true)
    passwords.set('gw-1', 'new')
    assert.equal(gateway?.isCurrent(), false)
  })

  it('are the name in their certificate, where there is one; a user that differs is not let in', () => {
    const users = new GatewayUsers(() => undefined)
    const gateway = admit(users, undefined, undefined, 'gw-1')
    assert.deepEqual([gateway?.mayPublish(up('gw-1')), gateway?.mayPublish(up('gw-2'))], [true, false])
    assert.equal(isIn(users, 'gw-1', undefined, 'gw-1'), true)
    assert.equal(isIn(users, 'gw-2', undefined, 'gw-1'), false)
    assert.equal(isIn(users, undefined, undefined, 'a/b'), false)
  })

  it('with a certificate need a password only where one is set, and must be known where gateways are named', () => {
    const known = new Map([
      ['gw-1', undefined],
      ['gw-2', 'right'],
    ])
    const users = new GatewayUsers(() => known)
    assert.equal(isIn(users, undefined, undefined, 'gw-1'), true)
    assert.equal(isIn(users, 'gw-1', password('')), false, 'without a certificate nobody is vouched for')
    assert.equal(isIn(users, undefined, undefined, 'gw-2'), false)
    assert.equal(isIn(users, undefined, password('right'), 'gw-2'), true)
    assert.equal(isIn(users, undefined, undefined, 'gw-3'), false)
  })
})

describe('a gateway whose certificate is that of another', () => {
  it('is told of with both names', () => {
    assert.match(twoNames('gw-1', 'gw-2') ?? '', /^it calls itself "gw-1" and its certificate is that of "gw-2": /)
    assert.deepEqual(
      [twoNames('gw-1', 'gw-1'), twoNames(undefined, 'gw-1'), twoNames('gw-1', undefined)],
      [undefined, undefined, undefined],
    )
  })
})
