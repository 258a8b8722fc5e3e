/**
 * Every bound that is not configurable, with its reason [I6]. What a person may tune is in runtime/config instead.
 * Numbers only: this file does nothing and imports nothing, so the pure rooms may read it too.
 */

// What one device may say.

/** A batch larger than this is a bulk import, not a publish: one group commit must stay far below a second. */
export const readingsPerMessageMax = 1_000

/** Device and metric names are part of every row's key: long ones would cost more than the readings. */
export const nameBytesMax = 128

/** An id is kept with each reading to recognise a re-send; a UUID has 36 bytes, a hash in hex 64. */
export const readingIdBytesMax = 256

/** A unit is for people to read beside a number. */
export const unitBytesMax = 32

/** Text and object values: a status line or a position, not a picture. 1,000 of them still fit a group commit. */
export const valueBytesMax = 4 * 1024

/** Nesting of an object value: nothing measured is deeper, and recursion over it must have an end. */
export const valueDepthMax = 16

/** Device times from here on (2100-01-01) are nonsense: microseconds taken for milliseconds, or garbage. */
export const deviceTimeMsEnd = Date.UTC(2100, 0, 1)

/** A plain number as text: a double has 17 digits, a sign, a point and an exponent. */
export const numberTextBytesMax = 64

/** Reasons are kept in the rejects table and shown in one line. */
export const reasonCharactersMax = 200

// What adapters keep of a format's sessions.

/** Parts of one Sparkplug payload: 1,000 metrics with ten fields and properties each. More is made up of tiny ones. */
export const sparkplugPartsMax = 20_000

/** Edge nodes of one route, each a PLC or a gateway of its own: what is known of them is on disk and in memory. */
export const sparkplugNodesMax = 1_000

/** Metrics that births of one route have named, about 100 bytes each: 5 MB. */
export const sparkplugMetricsMax = 50_000

/** Characters of one remembered state, less than ingest takes: aliases are found in a handful of such portions. */
export const sparkplugStateCharactersMax = 12 * 1024

/** Edge nodes that spoke without a birth, and were asked for one: the last of them. One that comes again is asked again. */
export const sparkplugAskedMax = 64

/** Births asked for in one session because a metric had no name: births that did not help thrice will not help. */
export const sparkplugMissesMax = 3

/** Properties of one route's Homie devices whose units and datatypes are kept: 100 bytes each. */
export const homiePropertiesMax = 20_000

/** A format lists the words of an enum, or a range. */
export const homieFormatCharactersMax = 256

/** Names of the properties that one description lists: several hundred. Ingest keeps no more in one state. */
export const homieDescriptionCharactersMax = 12 * 1024

// What the configuration may say.

/** Routes are tried in order for each new topic; the last one must still be near. */
export const routesMax = 100

/** Each table costs a log, a cursor for each follower and a line in `status`. */
export const tablesMax = 256

/** Devices that a configuration names; a file of more is made by a program, which can write the table device_labels. */
export const devicesKnownMax = 10_000

/** Each bridge is a connection with its windows and timers. */
export const bridgesMax = 16

/** Each source is a connection with its buffers, or a timer with its requests. */
export const sourcesMax = 64

/** Filters of one source: a broker is asked for all of them in one packet. */
export const sourceTopicsMax = 64

/** A gateway listens for its LAN: a handful of interfaces. */
export const listenersMax = 16

/** Gateways that one hub's configuration names. */
export const hubGatewaysMax = 10_000

/** The least that `sun_path` of any system holds, without its final NUL (Linux 107, macOS 103). */
export const socketPathBytesMax = 103

/** Larger files are not passwords. */
export const secretBytesMax = 4 * 1024

/** A certificate with the chain above it: a few kB each. */
export const certificateBytesMax = 64 * 1024

/** Slashes in a topic that we publish to: what AWS IoT Core takes. */
export const topicSlashesMax = 7
/** A topic that we publish to: leaves room for a key of the store's longest. */
export const topicBytesMax = 2 * 1024
