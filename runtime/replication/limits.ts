/** Every bound of replication, with its reason [I6]. */

/** The tightest message limit of the brokers that we promise to work with (AWS IoT Core). */
export const messageBytesMax = 128 * 1024
/** A frame's usual size: large enough that its overhead vanishes, small enough that an alert need not wait long. */
export const frameBytesDefault = 64 * 1024
/** What a far side may ask for at least: a session, some names and a row of usual size. */
export const messageBytesMin = 16 * 1024
/** What a broker must take at least: the envelope, and as much for rows. With less, too many rows could never go. */
export const payloadBytesMin = 8 * 1024
/** Room in a message for a frame's envelope: session, names of origins, gaps. */
export const envelopeBytesMax = 4 * 1024
/** Rows in one frame: bounds what a reader has to walk. */
export const frameRowsMax = 1_000
/** Rows in one frame of columns: what an event loop decodes and stores without anybody noticing, about 10 ms. */
export const rowsMax = 4_000
/** What a frame of columns is cut by before it is compressed: the most rows, with an id or a short text each. */
export const columnsBytesMax = 384 * 1024
/** What a compressed payload may grow to: the most rows with texts of some length, and nothing like a bomb. */
export const inflatedBytesMax = 512 * 1024
/** Entries read from a log at once: a record may have 120 kB, and a backlog of them must not come into memory whole. */
export const readMax = { series: frameRowsMax, records: 128 } as const
/** Entries that are committed together travel in parts if one message can't hold them; more than this is parked. */
export const transactionBytesMax = 1024 * 1024
export const transactionPartsMax = 64
/** Frames in flight per peer. Two of them are kept free of readings, so that alerts find a place at once. */
export const windowFramesMax = 8
export const windowFramesForReadings = 6
/** Bytes in flight per peer, beyond the first frame. */
export const windowBytesMax = 512 * 1024
/** A stream that is so far behind within a conversation begins a live part: more than a frame or two of it. */
export const liveLagMin = 10_000
/** A live part that a lost connection has left so little behind goes on; further, and a new one begins at the head. */
export const liveGapMax = 1_000
/** What a message costs on the link beside its payload: MQTT's header, its topic, its acknowledgement. */
export const messageOverheadBytes = 64
/** A frame so large takes a while on a slow link, and is worth a word when it has come: smaller ones are soon answered. */
export const heardBytesMin = 256
/** What a receiver lets wait for its next commit; an honest sender's window is smaller. */
export const waitingFramesMax = 64
export const waitingBytesMax = 4 * 1024 * 1024
/** And how many rows of it: compressed, thousands fit into a few bytes, and each takes about 250 in memory. */
export const waitingRowsMax = windowFramesMax * rowsMax
/** So many readings are worth a commit of their own; fewer wait for the commit interval, which spares the disk. */
export const groupRows = 1_000
/** Parked rows that are kept for a person to look at; of one stream, so that none takes the place of the others. Beyond
 * it they are gaps. */
export const parkedMax = 1_000
export const parkedPerStreamMax = 100
/** Rows whose stamps were too far ahead are looked at this often: once their hour has come, a minute does not matter. */
export const retryParkedMs = 60_000
/** So many unreadable transactions one after the other: then it is not the rows, and the stream stops and says so. */
export const unreadableInARowMax = 10
/** Frames bent on the way, one after the other: then the link is so bad that the next waits until the silence is noticed. */
export const bentInARowMax = 10
/** Checksums of what was sent lately: a window of frames in parts, and those of the window before. */
export const rememberedSumsMax = 1_024
/** A parked row larger than this is kept without its value. */
export const parkedValueBytesMax = 16 * 1024
/** A parked value is kept inside a row, which has at most 64 levels itself. */
export const parkedDepthMax = 60
/** Losses of one stream that are known to have been told, apart from each other: a window of them, many times over. */
export const notedMax = 1_000
/** Gaps told in one frame. */
export const gapsPerFrameMax = 64
/** Entries passed over without a frame (they came from the far side), until one frame says so. */
export const skippedMax = 10_000
/** Databases of one peer whose positions are remembered: a gateway whose card was replaced, and the card put back. */
export const epochsPerPeerMax = 8
/** Tables in one hello. */
export const streamsMax = 256
/** Gateways that one hub knows. */
export const gatewaysMax = 1_000

/** CBOR, how deep: a row that the store takes has at most 64 levels, a frame adds 3. */
export const cborDepthMax = 72
/** CBOR, how many items: a frame of 1,000 rows has about 10,000. */
export const cborItemsMax = 200_000

/** Texts in frames: the store's longest key, and more than any device's name. */
export const nameBytesMax = 1024
export const reasonBytesMax = 256

/** No answer for so long with frames in flight: ask the far side where it is. */
export const stallMs = 10_000
/** No answer at all for so long: this connection is dead, whatever TCP says (failure M4). */
export const deadMs = 30_000
/** A conversation that lasted so long has proved its connection: the next back-off starts from its beginning. */
export const provenMs = 30_000
/** A hello that nobody answered is said again; it is repeated from time to time on a healthy link too. */
export const helloRetryMs = 5_000
/** Hellos without an answer, after which the status says what may be wrong. */
export const hellosInSilence = 2
export const helloRefreshMs = 300_000
/** A hello out of turn, because a stream begins or ends to wait: no more often, it costs some hundred bytes. */
export const waitsAgainMs = 30_000
/** After a commit that failed, so long before frames are asked for again; doubles up to the cap. */
export const commitRetryMs = 1_000
export const commitRetryMaxMs = 30_000
export const tickMs = 1_000

/** Messages that a plain broker has not acknowledged yet: mosquitto's own default, a fifth of what AWS IoT Core takes. */
export const plainWindowMax = 20
/** Places in that window that readings leave to alerts and other records. */
export const plainWindowKept = 2
/** MQTT 3.1.1: a PUBACK that has stood for so long on a connection that lives is no goodbye. */
export const farewellMs = 1_000
/** So long is a topic left alone that the broker has refused, and a stream that it takes nothing of. */
export const refusedTopicMs = 300_000
/** Refused topics that are remembered, the oldest forgotten first. */
export const refusedTopicsMax = 1_000
/** So many different topics refused one after the other, or so many entries: then it is not one device, and the stream stops. */
export const refusedTopicsInARowMax = 10
export const refusedEntriesInARowMax = 100
/** A broker that could not take a message now is asked again after so long. */
export const plainRetryMs = 5_000
