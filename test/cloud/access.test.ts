import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { GatewayUsers, twoNames } from '../../runtime/cloud/access.ts'

const up = (gateway: string): string => `holdfast/v1/${gateway}/up/hello`
const password = (text: string): Buffer => Buffer.from(text)

describe('the gateways of a hub', () => {
  it('come in with their own password alone, where passwords are set', () => {
    const passwords = new Map([
      ['gw-1', 'right'],
      ['gw-2', 'other'],
    ])
    const users = new GatewayUsers(() => passwords)
    assert.equal(users.admit('gw-1', password('right'), 'c1', []), true)
    assert.equal(users.admit('gw-1', password('other'), 'c2', []), false)
    assert.equal(users.admit('gw-1', undefined, 'c2', []), false)
    assert.equal(users.admit('gw-9', password('right'), 'c2', []), false)
    assert.equal(users.admit(undefined, password('right'), 'c2', []), false)
  })

  it('need a name that can stand in a topic, also where no passwords are set', () => {
    const users = new GatewayUsers(() => undefined)
    assert.equal(users.admit('gw-1', undefined, 'c1', []), true)
    for (const name of ['', '+', '#', 'a/b', 'gw 1', '__proto__/x'])
      assert.equal(users.admit(name, undefined, 'c2', []), false, name)
  })

  it('write and read their own topics, whatever their client is called', () => {
    const users = new GatewayUsers(() => undefined)
    users.admit('gw-1', undefined, 'gw-2-cloud', [])
    assert.equal(users.may('gw-2-cloud', up('gw-1'), 'publish'), true)
    assert.equal(users.may('gw-2-cloud', up('gw-2'), 'publish'), false)
    assert.equal(users.may('gw-2-cloud', 'holdfast/v1/gw-1/down/#', 'subscribe'), true)
    assert.equal(users.may('gw-2-cloud', 'holdfast/v1/gw-2/down/#', 'subscribe'), false)
    assert.equal(users.may('nobody', up('gw-1'), 'publish'), false)
  })

  it('cannot take the client id that another gateway is connected with [A5]', () => {
    const users = new GatewayUsers(() => undefined)
    users.admit('gw-1', undefined, 'shared', [])
    assert.equal(users.admit('gw-2', undefined, 'shared', ['shared']), false)
    assert.equal(users.may('shared', up('gw-1'), 'publish'), true)
    assert.equal(users.admit('gw-1', undefined, 'shared', ['shared']), true, 'its own may come again')
    assert.equal(users.admit('gw-2', undefined, 'shared', []), true, 'a free one may be taken')
  })

  it('are the name in their certificate, where there is one; a user that differs is not let in', () => {
    const users = new GatewayUsers(() => undefined)
    assert.equal(users.admit(undefined, undefined, 'a', [], 'gw-1'), true)
    assert.deepEqual([users.may('a', up('gw-1'), 'publish'), users.may('a', up('gw-2'), 'publish')], [true, false])
    assert.equal(users.admit('gw-1', undefined, 'b', [], 'gw-1'), true)
    assert.equal(users.admit('gw-2', undefined, 'c', [], 'gw-1'), false)
    assert.equal(users.admit(undefined, undefined, 'd', [], 'a/b'), false)
  })

  it('with a certificate need a password only where one is set, and must be known where gateways are named', () => {
    const known = new Map([
      ['gw-1', undefined],
      ['gw-2', 'right'],
    ])
    const users = new GatewayUsers(() => known)
    assert.equal(users.admit(undefined, undefined, 'a', [], 'gw-1'), true)
    assert.equal(users.admit('gw-1', password(''), 'a', []), false, 'without a certificate nobody is vouched for')
    assert.equal(users.admit('gw-2', undefined, 'b', [], 'gw-2'), false)
    assert.equal(users.admit('gw-2', password('right'), 'b', [], 'gw-2'), true)
    assert.equal(users.admit(undefined, undefined, 'c', [], 'gw-3'), false)
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
