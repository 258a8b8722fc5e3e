import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { currentBoot, machineFacts, runCommand } from '../../runtime/clock/facts.ts'

describe('facts about the clock of a machine', () => {
  let root: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'holdfast-clock-'))
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  const put = (path: string, text = ''): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const facts = (answers: Readonly<Record<string, string>> = {}) =>
    machineFacts({ root, run: async file => answers[file] })

  it('are none on a machine that shows nothing', async () => {
    assert.deepEqual(await facts(), { service: undefined, hasBatteryClock: false, uptimeMs: undefined })
  })

  it('see a battery clock, and the flag of systemd-timesyncd', async () => {
    put('sys/class/rtc/rtc0/name')
    put('run/systemd/timesync/clock')
    assert.deepEqual(await facts(), {
      service: { name: 'timesyncd', isSynchronised: false },
      hasBatteryClock: true,
      uptimeMs: undefined,
    })
    put('run/systemd/timesync/synchronized')
    assert.deepEqual((await facts()).service, { name: 'timesyncd', isSynchronised: true })
  })

  it('ask chrony where it runs', async () => {
    put('run/chrony/chronyd.sock')
    const tracking = (leap: string): Record<string, string> => ({
      chronyc: `A29FC87B,162.159.200.123,4,1763870000.1,0.000001,0.000002,0.000003,-6.1,0.001,0.02,0.01,0.0003,64.5,${leap}\n`,
    })
    assert.deepEqual((await facts(tracking('Normal'))).service, { name: 'chrony', isSynchronised: true })
    assert.deepEqual((await facts(tracking('Not synchronised'))).service, { name: 'chrony', isSynchronised: false })
    assert.deepEqual((await facts()).service, { name: 'chrony', isSynchronised: false })
  })

  it('ask the kernel where systemd runs', async () => {
    put('run/systemd/system/x')
    const told = async (ntp: string, done: string) =>
      (await facts({ timedatectl: `NTP=${ntp}\nNTPSynchronized=${done}\n` })).service
    assert.deepEqual(await told('yes', 'yes'), { name: 'kernel', isSynchronised: true })
    assert.deepEqual(await told('no', 'yes'), { name: 'kernel', isSynchronised: true })
    assert.deepEqual(await told('yes', 'no'), { name: 'timesyncd', isSynchronised: false })
    assert.equal(await told('no', 'no'), undefined)
  })

  it('are not spoilt by a command that is missing or fails', async () => {
    assert.equal(await runCommand('/nonexistent/chronyc', []), undefined)
    assert.equal(await runCommand('false', []), undefined)
    assert.equal(await runCommand('echo', ['hello']), 'hello\n')
  })

  it('name the boot by the id that the kernel gave it, or each start where there is none', async () => {
    assert.deepEqual(await currentBoot(() => 'd2a9-77', root), { id: 'd2a977', uptimeMs: 0 })
    put('proc/sys/kernel/random/boot_id', '3c946917-d831-4f72-83b0-edebaa2aba25\n')
    put('proc/uptime', '11348.28 14580.93\n')
    assert.deepEqual(await currentBoot(() => '', root), { id: '3c946917d831', uptimeMs: 11_348_280 })
  })
})
