/**
 * Devices without a battery for their clock count from 1970 until they have asked a time server. Such a time is no fault of
 * the message, and no time: the reading is filed under the gateway's.
 */
export const clockSetFromMs = Date.UTC(2000, 0, 1)
