/**
 * Property tests begin from one seed in the test command, so that a change is judged by what it does and not by luck.
 * `PROPERTY_SEED=random npm test` looks further, another number elsewhere; what that finds becomes an example of its test.
 */
import * as fc from 'fast-check'

const given = process.env.PROPERTY_SEED ?? '20261123'
if (given !== 'random') fc.configureGlobal({ seed: Number(given) })
