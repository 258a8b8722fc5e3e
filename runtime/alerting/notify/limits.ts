/** The bounds of telling and acting, each with its reason [I6]. Numbers only. */

/** Alerts read at once: what they lead to is saved together. */
export const alertsPerTurn = 256

/** An action that fails is tried again after 1, 2, 4, 8 and 16 seconds: a fault that outlives them is none that passes. */
export const triesMax = 6
export const retryFirstMs = 1_000

/** Telling the broker of this machine takes milliseconds; what takes so long hangs. */
export const publishMsMax = 10_000

/** Actions of different alerts at work at once: enough that some that hang delay nobody. */
export const actionsAtOnceMax = 32

/** One action of one alert that waits to be done, its repetitions included: older repetitions are worth nothing. */
export const jobsPerAlertMax = 64

/** What MQTT clients on a LAN take without a thought; the alerts of a group beyond it are counted, not told. */
export const groupBytesMax = 128 * 1024

/** A group that changes with every reading is told once a second, with all that has changed. */
export const groupGapMs = 1_000

/** An alert that is over is known for so long: its row may be written again (snippet, corrected clock) and is no news. */
export const endedKeptMs = 86_400_000
export const endedKeptMax = 20_000

/** Silences that have ended are of interest to whoever asks why nobody was told; then their rows are deleted. */
export const silenceKeptMs = 7 * 86_400_000
export const sweepEveryMs = 3_600_000

/** Rows of the table `silences` that are looked at: a table that somebody fills by mistake must not fill the memory. */
export const silencesMax = 10_000
