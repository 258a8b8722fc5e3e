/**
 * The judging part of the composition root: the rule files, the alerting that they are in force in, the alerts that the
 * gateway raises on itself, and who tells of all of them.
 */
import { Alerting } from './alerting/alerting.ts'
import type { ConfiguredLabels } from './alerting/device-labels.ts'
import { DamageTold } from './alerting/damage-told.ts'
import { KeptRules } from './alerting/kept-rules.ts'
import { Notifier } from './alerting/notify/notifier.ts'
import { Rulebook } from './alerting/rulebook.ts'
import { SelfAlerts } from './alerting/self-alerts.ts'
import type { Broker } from './broker/broker.ts'
import type { Config } from './config/config.ts'
import type { House } from './house.ts'
import type { Store } from './store/store.ts'
import type { Timekeeper } from './timekeeping/keeper.ts'

export type Alerts = { readonly alerting: Alerting; readonly rulebook: Rulebook; readonly selfAlerts: SelfAlerts }

/** The labels that the configuration gives to devices, by the name of the device. */
export const configuredLabels = ({ devices }: Config): ConfiguredLabels =>
  new Map([...devices.known].map(([device, { labels }]) => [device, labels]))

export async function openAlerting(house: House, store: Store, keeper: Timekeeper): Promise<Alerts> {
  const { config, closers, time } = house
  const log = house.log.child({ room: 'alerting' })
  const selfAlerts = new SelfAlerts({ store, now: time.clock.now, log })
  closers.push(() => selfAlerts.close())
  const damage = new DamageTold({ store, alerts: selfAlerts, now: time.clock.now, log })
  closers.push(() => damage.close())
  // A reading that arrived before a deadline is on the disk one commit interval later.
  const graceMs = config.store.commitIntervalMs + 100
  const alerting = new Alerting({
    store,
    now: time.clock.now,
    log,
    graceMs,
    activeMax: config.alerts.activeMax,
    alerts: selfAlerts,
    boot: time.clock.boot,
    configuredLabels: configuredLabels(config),
  })
  let turn = Promise.resolve()
  const rulesLog = house.log.child({ room: 'rules' })
  const rulebook = new Rulebook({
    folder: config.rules.folder,
    zone: config.rules.zone,
    tables: store.tables,
    log: rulesLog,
    alerts: selfAlerts,
    kept: new KeptRules(store, rulesLog),
    changed: rules => {
      turn = turn.then(() => alerting.use(rules))
    },
  })
  closers.push(async () => {
    await rulebook.close()
    // First this, for a set of rules may be waiting for a store that cannot write; then what it was in the middle of.
    await alerting.close()
    await turn
  })
  await turn
  keeper.whileRulesPause = work => {
    const paused = turn.then(() => alerting.pausedWhile(work))
    turn = paused.catch(() => undefined)
    return paused
  }
  await rulebook.watch()
  return { alerting, rulebook, selfAlerts }
}

/** Without a broker nobody is told; actions that write rows are done all the same. */
export function openNotifier(house: House, store: Store, alerts: Alerts, broker: Broker | undefined): Notifier {
  const { config, closers, time } = house
  const { rulebook, selfAlerts } = alerts
  const notifier = Notifier.open({
    store,
    publish: broker && ((topic, payload, options) => broker.publish(topic, payload, options)),
    rules: () => rulebook.rules,
    alerts: config.alerts,
    now: time.clock.now,
    isTimeTrusted: () => time.clock.isTrusted,
    log: house.log.child({ room: 'alerting' }),
    troubled: text => {
      if (text === undefined) selfAlerts.resolve('ActionFailed')
      else selfAlerts.raise('ActionFailed', { severity: 'warning', part: 'alerts', text })
    },
  })
  closers.push(() => notifier.close())
  return notifier
}
