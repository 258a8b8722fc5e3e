/** What a source may hold and how long it waits, each number with its reason [I6]. */

/**
 * Messages that one broker may have under way to us without an answer. MQTT 5 brokers are told (Receive Maximum);
 * behind others the socket is not read on. A commit every 100 ms then carries up to 10,000 messages a second.
 */
export const unansweredMax = 1_000

/** The same in bytes: on a gateway of 256 MB sources are one of many. */
export const unansweredBytesMax = 8 * 1024 ** 2

/** The same number as our own broker's packet_bytes: larger messages are no readings. */
export const messageBytesMax = 256 * 1024

/** CONNACK, SUBACK, DISCONNECT: none comes near. */
export const controlBytesMax = 64 * 1024

/** A connection that lasted so long, or that brought something into the store, has proved itself. */
export const holdsAfterMs = 60_000

/** The broker's answer to a subscription. */
export const answerTimeoutMs = 10_000

/** At the end, commits that are under way are waited for, so that what is stored is acknowledged too. */
export const lastCommitMs = 5_000

/** What repeats (a message that is too large, a topic that no route takes) is told at most so often. */
export const tellAgainMs = 600_000

/** A device that does not answer is asked again after this, then after twice as long each time. */
export const retryFirstMs = 5_000

/** It is noticed within a minute that a device is back, and asking costs nobody anything. */
export const retryMaxMs = 60_000

/** One lost answer is no outage. */
export const failuresUntilOffline = 2

/** A wall clock may be set while we wait for a time of the day: it is looked at again so often. */
export const lookAtClockMs = 30_000

/** What comes between two answers of a Modbus device, which have 260 bytes at most, is no Modbus. */
export const modbusBytesMax = 16 * 1024

/** The same as our own broker's packet_bytes: a status page of a device, not a download. */
export const bodyBytesMax = 256 * 1024
