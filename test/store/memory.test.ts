import { memoryPlace } from './homes.ts'
import { storeSuite } from './suite.ts'

storeSuite('in memory', memoryPlace)
