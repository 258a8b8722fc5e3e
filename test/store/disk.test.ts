import { diskPlace } from './homes.ts'
import { storeSuite } from './suite.ts'

storeSuite('on disk', diskPlace)
