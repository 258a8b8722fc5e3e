/**
 * The rules in force: read from a folder, read again when a file there changes. A set of files with a fault leaves the
 * running rules as they are and says where the fault is; nothing is ever half replaced. A start with a faulty folder takes
 * the texts that were good last.
 */
import { type FSWatcher, watch } from 'chokidar'
import { parseRules } from '../../rules/language/file.ts'
import type { Rule } from '../../rules/rule.ts'
import { type Problem, formatProblem } from '../document.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { RuleFile } from './kept-rules.ts'
import { readRuleFiles } from './rule-files.ts'
import { type KnownTables, tableProblems } from './rule-tables.ts'
import type { SelfAlertDoor } from './self-alerts.ts'

export type RulebookStatus = { readonly files: number; readonly rules: number; readonly problems: readonly string[] }

/** Editors save in steps; a set of files is read when it has been quiet for so long. */
const quietMs = 100

/** So many problems are told in the alert; all of them stand in the log and in `status`. */
const toldMax = 5
const alertName = 'RulesInvalid'

export type RulebookOptions = {
  readonly folder: string
  /** Of hours, weekdays and cron expressions in rules. */
  readonly zone: string
  readonly tables: KnownTables
  readonly log: Log
  /** Where an alert on the gateway itself is raised while the files have faults. */
  readonly alerts: SelfAlertDoor
  /** Where the texts that were good last are kept over a restart. */
  readonly kept: { read(): readonly RuleFile[]; keep(files: readonly RuleFile[]): void }
  /** Is told the whole set each time another one comes into force. */
  readonly changed: (rules: readonly Rule[]) => void
}

export class Rulebook {
  readonly #options: RulebookOptions
  #rules: readonly Rule[] = []
  #files = 0
  /** A set of files is in force, be it an empty one. */
  #hasRules = false
  #problems: readonly Problem[] = []
  #fault: string | undefined
  #watcher: FSWatcher | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: RulebookOptions) {
    this.#options = options
    this.reload()
  }

  get rules(): readonly Rule[] {
    return this.#rules
  }

  status(): RulebookStatus {
    const problems = this.#problems.map(formatProblem)
    return {
      files: this.#files,
      rules: this.#rules.length,
      problems: this.#fault ? [this.#fault, ...problems] : problems,
    }
  }

  /** Reads the folder now. True if its rules are in force. */
  reload(): boolean {
    const { alerts, kept } = this.#options
    const files = this.#readFolder()
    const problems = files ? this.#use(files) : []
    this.#problems = problems
    if (files && problems.length === 0) {
      kept.keep(files)
      alerts.resolve(alertName)
      return true
    }
    if (!this.#hasRules) this.#use(kept.read())
    this.#complain()
    return false
  }

  #readFolder(): readonly RuleFile[] | undefined {
    this.#fault = undefined
    const { folder } = this.#options
    try {
      return readRuleFiles(folder)
    } catch (error) {
      this.#fault = `the rules in ${folder} cannot be read: ${messageOf(error)}`
      return undefined
    }
  }

  /** Puts a set of files in force, unless it has problems. */
  #use(files: readonly RuleFile[]): readonly Problem[] {
    const { zone, tables, changed } = this.#options
    const parsed = parseRules(files, { zone })
    const problems = parsed.ok ? tableProblems(parsed.rules, tables, parsed.placeOf) : parsed.problems
    if (!parsed.ok || problems.length > 0) return problems
    this.#files = files.length
    this.#rules = parsed.rules
    this.#hasRules = true
    changed(parsed.rules)
    return []
  }

  #complain(): void {
    const { problems } = this.status()
    const consequence = this.#rules.length > 0 ? 'the rules read before stay in force' : 'no rules are in force'
    const text = `the rule files have faults: ${consequence}`
    this.#options.log.error({ problems }, text)
    const more = problems.length - toldMax
    this.#options.alerts.raise(alertName, {
      severity: 'warning',
      part: 'rules',
      text,
      details: {
        count: String(problems.length),
        problems: [...problems.slice(0, toldMax), ...(more > 0 ? [`and ${more} more`] : [])].join('\n'),
      },
    })
  }

  /** Reads the folder again whenever a file in it changes. Resolves once changes are noticed. */
  async watch(): Promise<void> {
    const watcher = watch(this.#options.folder, { ignoreInitial: true, depth: 0 })
    this.#watcher = watcher
    watcher.on('all', () => {
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => {
        if (this.reload()) this.#options.log.info({ rules: this.#rules.length }, 'rules read again')
      }, quietMs)
    })
    watcher.on('error', error =>
      this.#options.log.warn({ reason: messageOf(error) }, 'rule files are no longer watched'),
    )
    await new Promise<void>(resolve => watcher.once('ready', resolve))
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#watcher?.close()
  }
}
