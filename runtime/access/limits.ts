/** Every bound of access, with its reason [I6]. */
import { availableParallelism } from 'node:os'

/** Some 20,000 users; a gateway has hundreds. */
export const usersFileBytesMax = 4 * 1024 * 1024
/** How often the users file is looked at: who has added a user wants to try it at once, and a look costs one `stat`. */
export const lookEveryMs = 1_000
/**
 * What a password costs to check: 16 MB and, on a Raspberry Pi, some 150 ms (OWASP's figures for servers would need
 * 128 MB, half of what a gateway may have). A line of the users file names its own figures, so they can be raised.
 */
export const scryptCost = { N: 16_384, r: 8, p: 1 } as const
/** The most that a line may ask for: more is a mistake, or meant to stop the gateway. */
export const scryptMemoryMax = 64 * 1024 * 1024
export const scryptWorkMax = 2 ** 20
/** Node hashes on the four threads that the database writes on, too: two are left to it, and half of the processors. */
export const hashesAtOnce = Math.max(1, Math.min(2, availableParallelism() >> 1))
/** Logins that wait for their turn: as many as clients may be connected by default. A CONNECT is 4 KiB at most. */
export const loginsWaitingMax = 1_024
/** Topics whose verdict a visitor remembers: more than a device publishes to; 1,000 clients take some MB. */
export const verdictsMax = 64
export const passwordBytesMax = 1_024
