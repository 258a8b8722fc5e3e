/** What works on one opened database, and is thrown away with it. */
import type { Database } from './database.ts'
import { LogReader } from './log-reader.ts'
import { Merger } from './merge.ts'
import { Packer } from './packer.ts'
import { Repeats } from './repeats.ts'

export class Works {
  readonly database: Database
  readonly repeats: Repeats
  readonly logs: LogReader
  readonly merger: Merger
  readonly packer: Packer

  constructor(database: Database, monotonicMs: () => number) {
    this.database = database
    this.repeats = new Repeats(database)
    this.logs = new LogReader(database)
    this.merger = new Merger(database)
    this.packer = new Packer(database, this.repeats, monotonicMs)
  }
}
