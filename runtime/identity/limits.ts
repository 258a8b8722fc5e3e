/** Every bound of the identity files, with its reason [I6]. */

/** A chain of certificates, or the authorities of a whole system (Debian's have 220 kB). */
export const fileBytesMax = 1024 * 1024
/** How often the files are looked at: a person who has replaced one should not wonder whether it was seen. */
export const lookEveryMs = 5_000
/** From here on the status says that a certificate expires: time enough to order one and send somebody out. */
export const warnBeforeMs = 14 * 86_400_000
