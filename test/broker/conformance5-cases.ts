/** MQTT 5 as packet sequences, by the statements of its specification. The language is in sequence.ts. */
import type { Case } from './conformance-cases.ts'

/** Connects and is welcomed; flags 02 start clean; `properties` without their length. */
export const hello5 = (who: string, flags = '02', present = '00', properties = '', adds = ''): string =>
  `${who}> 10 * 'MQTT' 05 ${flags} 0000 ${section(properties)} '${who}'\n${who}< 20 * ${present} 00 ${section(says5(adds))}`
/** What the broker says of itself in every CONNACK: receive maximum, topic aliases, packet size, no shared subscriptions. */
const says5 = (adds: string): string => `2a 00 22 0020 27 00040000 21 03e8 ${adds}`.trim()
const length = (text: string): number =>
  [...text.matchAll(/'([^']*)'|"([^"]*)"|([0-9a-f]{2})/g)].reduce(
    (sum, [, prefixed, plain]) =>
      sum +
      (prefixed !== undefined ? 2 + Buffer.byteLength(prefixed) : plain !== undefined ? Buffer.byteLength(plain) : 1),
    0,
  )
export const section = (properties: string): string =>
  `${length(properties).toString(16).padStart(2, '0')} ${properties}`
const subscribed5 = (who: string, filter: string, options: string, properties = '', code = options): string =>
  `${who}> 82 * 0001 ${section(properties)} '${filter}' ${options}\n${who}< 90 * 0001 00 ${code}`
const bye = (who: string): string => `${who}> e000\n${who}< closed`
const quiet = (who: string): string => `${who}> c000\n${who}< d000`
/** A session that is kept for an hour. */
const anHour = '11 00000e10'

/** What a client that is connected sends, and the reason that it is told before it is closed. */
const told: Readonly<Record<string, readonly [bytes: string, reason: string]>> = {
  'MQTT5-3.1.0-2: a second CONNECT': [`10 * 'MQTT' 05 02 0000 00 'a'`, '82'],
  'MQTT5-2.1.3-1: flags of SUBSCRIBE': [`80 * 0001 00 't' 00`, '81'],
  'MQTT5-2.2.1-3: packet id 0': [`32 * 't' 0000 00`, '82'],
  'MQTT5-3.3.1-4: QoS 3': [`36 * 't' 0001 00`, '81'],
  'MQTT5-3.3.2-2: a wildcard in a topic': [`30 * 'a/+' 00`, '90'],
  'MQTT5-3.3.2-8: a topic alias of 0': [`30 * 't' 03 23 0000`, '82'],
  'MQTT5-3.3.2-9: a topic alias beyond the maximum': [`30 * 't' 03 23 0021`, '94'],
  'MQTT5-3.3.4: a topic alias that was never given': [`30 * '' 03 23 0001`, '94'],
  'MQTT5-3.3.2-1: no topic and no alias': [`30 * '' 00`, '82'],
  'MQTT5-3.3.2-14: a response topic with a wildcard': [`30 * 't' ${section(`08 'r/#'`)}`, '82'],
  'MQTT5-3.3.4-6: a subscription identifier from a client': [`30 * 't' 02 0b 01`, '82'],
  'MQTT5-2.2.2.2: a property twice': [`30 * 't' ${section(`01 00 01 00`)}`, '82'],
  'MQTT5-2.2.2.2: a property that nobody knows': [`30 * 't' 02 7f 00`, '81'],
  'MQTT5-1.5.4-1: a property that is no UTF-8': [`30 * 't' 04 03 0001 ff`, '81'],
  'MQTT5-1.5.4-2: U+0000 in a property': [`30 * 't' 04 03 0001 00`, '81'],
  'MQTT5-4.13: properties that end beyond the packet': [`30 * 't' 09 01`, '81'],
  'MQTT5-1.5.5-1: a length in more bytes than it takes': [`30 * 't' 80 00`, '81'],
  'MQTT5-3.8.3-2: SUBSCRIBE without a filter': [`82 * 0001 00`, '81'],
  'MQTT5-3.8.3-5: reserved bits of a subscription': [`82 * 0001 00 't' c0`, '81'],
  'MQTT5-3.8.3.1: retain handling 3': [`82 * 0001 00 't' 30`, '82'],
  'MQTT5-3.8.2.1.2: subscription identifier 0': [`82 * 0001 02 0b 00 't' 00`, '82'],
  'MQTT5-3.8.3-4: no local with a shared subscription': [`82 * 0001 00 '$share/g/t' 04`, '82'],
  'MQTT5-4.12: AUTH that nobody asked for': [`f0 00`, '82'],
  'MQTT5-3.2.2-15: a packet that is too large': [`30 81 80 11`, '95'],
}

const refusedAtOnce: Readonly<Record<string, readonly [bytes: string, answer: string]>> = {
  'MQTT5-4.12.0-1: a method of authentication that is not known': [
    `10 * 'MQTT' 05 02 0000 ${section(`15 'x'`)} 'a'`,
    '20 03 00 8c 00',
  ],
  'MQTT5-3.1.3-8: a client id that is no UTF-8': [`10 * 'MQTT' 05 02 0000 00 0001 ff`, '20 03 00 85 00'],
}
const closedAtOnce: Readonly<Record<string, string>> = {
  'MQTT5-3.1.2.11.3: receive maximum 0': `10 * 'MQTT' 05 02 0000 03 21 0000 'a'`,
  'MQTT5-3.1.2.11.4: maximum packet size 0': `10 * 'MQTT' 05 02 0000 05 27 00000000 'a'`,
  'MQTT5-3.1.2.11.2: session expiry twice': `10 * 'MQTT' 05 02 0000 0a 11 00000001 11 00000002 'a'`,
  'MQTT5-3.1.3.2.2: will delay outside a will': `10 * 'MQTT' 05 02 0000 05 18 00000001 'a'`,
  'A8: bytes after the client id': `10 * 'MQTT' 05 02 0000 00 'a' 00`,
}

export const cases5: readonly Case[] = [
  ...Object.entries(told).map(([about, [bytes, reason]]) => ({
    about,
    sequence: `${hello5('a')}\na> ${bytes}\na< e0 02 ${reason} 00\na< closed`,
  })),
  ...Object.entries(refusedAtOnce).map(([about, [bytes, answer]]) => ({
    about,
    sequence: `a> ${bytes}\na< ${answer}\na< closed`,
  })),
  ...Object.entries(closedAtOnce).map(([about, bytes]) => ({ about, sequence: `a> ${bytes}\na< closed` })),
  {
    about: 'MQTT5-3.1.2-2: versions side by side: 3.1, 3.1.1 and 5 hear each other',
    sequence: `${hello5('n')}
      ${subscribed5('n', '#', '01')}
      o> 10 * 'MQTT' 04 02 0000 'o'
      o< 20 02 00 00
      o> 82 * 0001 '#' 01
      o< 90 03 0001 01
      o> 32 * 't' 0001 "x"
      o< 40 02 0001
      o< 32 * 't' 0001 "x"
      o> 40 02 0001
      n< 32 * 't' 0001 00 "x"
      n> 40 02 0001
      n> 32 * 'u' 0002 ${section(`03 'text'`)} "y"
      n< 40 04 0002 0000
      n< 32 * 'u' 0002 ${section(`03 'text'`)} "y"
      n> 40 02 0002
      o< 32 * 'u' 0002 "y"
      o> 40 02 0002`,
  },
  {
    about: 'MQTT5-3.3.2-15 to -20, MQTT5-3.3.2-6: what a message says besides goes on unaltered, and in its order',
    sequence: (() => {
      const all = `02 0000000a 01 01 03 'text' 08 'answer/here' 09 0002 ff00 26 'a' '1' 26 'b' '2' 26 'a' '3'`
      return `${hello5('s')}
      ${subscribed5('s', '#', '01')}
      ${hello5('p')}
      p> 32 * 'sensors/a' 0001 ${section(all)} "1"
      p< 40 02 0001
      p> 32 * 'other' 0002 ${section(all)} "2"
      p< 40 04 0002 0000
      s< 32 * 'sensors/a' 0001 ${section(all)} "1"
      s< 32 * 'other' 0002 ${section(all)} "2"`
    })(),
  },
  {
    about: 'MQTT5-3.3.2-7, MQTT5-3.3.2-12: topics by number, of readings and of other messages, given anew',
    sequence: `${hello5('s')}
      ${subscribed5('s', '#', '00')}
      ${hello5('p')}
      p> 30 * 'sensors/a' 03 23 0001 "1"
      p> 30 * 'other' 03 23 0002 "2"
      p> 30 * '' 03 23 0001 "3"
      p> 30 * '' 03 23 0002 "4"
      p> 30 * 'third' 03 23 0001 "5"
      p> 30 * '' 03 23 0001 "6"
      p> 32 * '' 0001 03 23 0001 "7"
      p< 40 04 0001 0000
      s< 30 * 'sensors/a' 00 "1"
      s< 30 * 'other' 00 "2"
      s< 30 * 'sensors/a' 00 "3"
      s< 30 * 'other' 00 "4"
      s< 30 * 'third' 00 "5"
      s< 30 * 'third' 00 "6"
      s< 30 * 'third' 00 "7"`,
  },
  {
    about: 'MQTT5-4.3.2, MQTT5-4.3.3: QoS 1 and 2 in both directions',
    sequence: `${hello5('s')}
      ${subscribed5('s', 't', '02')}
      ${hello5('p')}
      p> 34 * 't' 0007 00 "x"
      p< 50 04 0007 0000
      p> 62 02 0007
      p< 70 02 0007
      s< 34 * 't' 0001 00 "x"
      s> 50 02 0001
      s< 62 02 0001
      s> 70 02 0001
      p> 32 * 't' 0008 00 "y"
      p< 40 04 0008 0000
      s< 32 * 't' 0002 00 "y"
      s> 40 03 0002 00`,
  },
  {
    about: 'MQTT5-3.3.4-2, MQTT5-3.3.4-4: subscriptions that overlap give one message with all their numbers',
    sequence: `${hello5('s')}
      ${subscribed5('s', 't/a', '00', '0b 01')}
      ${subscribed5('s', 't/+', '01', '0b c8 01')}
      ${subscribed5('s', '#', '00')}
      ${hello5('p')}
      p> 32 * 't/a' 0001 00 "x"
      p< 40 04 0001 0000
      s< 32 * 't/a' 0001 05 0b 01 0b c8 01 "x"
      ${quiet('s')}`,
  },
  {
    about: 'MQTT5-3.3.4-4: and so for a session, there and away',
    sequence: `${hello5('s', '02', '00', anHour)}
      ${subscribed5('s', 't/a', '00', '0b 01')}
      ${subscribed5('s', 't/+', '01', '0b c8 01')}
      ${subscribed5('s', '#', '01', '0b 03')}
      ${hello5('p')}
      p> 32 * 't/a' 0001 00 "x"
      p< 40 04 0001 0000
      s< 32 * 't/a' 0001 07 0b 01 0b c8 01 0b 03 "x"
      s> 40 02 0001
      ${bye('s')}
      p> 32 * 't/a' 0002 00 "y"
      p< 40 04 0002 0000
      ${hello5('s', '00', '01', anHour)}
      s< 32 * 't/a' 0002 07 0b 01 0b c8 01 0b 03 "y"
      s> 40 02 0002
      p> 30 * 't/a' 00 "z"
      s< 30 * 't/a' 07 0b 01 0b c8 01 0b 03 "z"`,
  },
  {
    about: 'MQTT5-3.8.3-3: no local: nothing of its own, live or for a session',
    sequence: `${hello5('s', '02', '00', anHour)}
      ${subscribed5('s', 't', '05', '', '01')}
      s> 32 * 't' 0001 00 "own"
      s< 40 04 0001 0000
      ${hello5('c')}
      ${subscribed5('c', 't', '04', '', '00')}
      c> 30 * 't' 00 "mine"
      ${quiet('c')}
      p> 10 * 'MQTT' 04 02 0000 'p'
      p< 20 02 00 00
      p> 32 * 't' 0001 "other"
      p< 40 02 0001
      s< 30 * 't' 00 "mine"
      s< 32 * 't' 0001 00 "other"
      c< 30 * 't' 00 "other"`,
  },
  {
    about: 'MQTT5-3.3.1-12, MQTT5-3.3.1-13: retain as published, live and for a session',
    sequence: `${hello5('s', '02', '00', anHour)}
      ${subscribed5('s', 't', '09', '', '01')}
      ${hello5('c')}
      ${subscribed5('c', 't', '08', '', '00')}
      ${hello5('n')}
      ${subscribed5('n', 't', '00')}
      ${hello5('p')}
      p> 33 * 't' 0001 00 "x"
      p< 40 04 0001 0000
      s< 33 * 't' 0001 00 "x"
      c< 31 * 't' 00 "x"
      n< 30 * 't' 00 "x"`,
  },
  {
    about: 'MQTT5-3.3.1-9, -10, -11: retain handling: always, if it is new, never',
    sequence: `${hello5('p')}
      p> 33 * 't' 0001 ${section(`26 'k' 'v'`)} "x"
      p< 40 04 0001 0000
      ${hello5('s')}
      ${subscribed5('s', 't', '20', '', '00')}
      ${quiet('s')}
      s> a2 * 0002 00 't' 'u'
      s< b0 05 0002 00 00 11
      ${subscribed5('s', 't', '10', '0b 07', '00')}
      s< 31 * 't' ${section(`26 'k' 'v' 0b 07`)} "x"
      ${subscribed5('s', 't', '10', '', '00')}
      ${quiet('s')}
      ${subscribed5('s', 't', '00')}
      s< 31 * 't' ${section(`26 'k' 'v'`)} "x"`,
  },
  {
    about: 'MQTT5-4.8.2: a shared subscription is answered with 0x9e, others beside it are made',
    sequence: `${hello5('s')}
      s> 82 * 0001 00 '$share/g/t' 01 't' 01
      s< 90 05 0001 00 9e 01`,
  },
  {
    about: 'MQTT5-3.3.4-9: no more at once than the client takes; QoS 0 goes past',
    sequence: `${hello5('s', '02', '00', '21 0002')}
      ${subscribed5('s', 't', '02')}
      ${hello5('p')}
      p> 32 * 't' 0001 00 "1"
      p< 40 04 0001 0000
      p> 34 * 't' 0002 00 "2"
      p< 50 04 0002 0000
      p> 32 * 't' 0003 00 "3"
      p> 32 * 't' 0004 00 "4"
      p< 40 04 0003 0000
      p< 40 04 0004 0000
      p> 30 * 't' 00 "5"
      s< 32 * 't' 0001 00 "1"
      s< 34 * 't' 0002 00 "2"
      s< 30 * 't' 00 "5"
      ${quiet('s')}
      s> 40 02 0001
      s< 32 * 't' 0003 00 "3"
      s> 50 03 0002 80
      s< 32 * 't' 0004 00 "4"
      ${quiet('s')}`,
  },
  {
    about: 'MQTT5-3.3.4-9, MQTT5-4.4.0-1: and of a session that is back, what was sent before comes first',
    sequence: `${hello5('s', '02', '00', `${anHour} 21 0001`)}
      ${subscribed5('s', 't', '01')}
      ${hello5('p')}
      p> 32 * 't' 0001 00 "1"
      p> 32 * 't' 0002 00 "2"
      p> 32 * 't' 0003 00 "3"
      p< 40 04 0001 0000
      p< 40 04 0002 0000
      p< 40 04 0003 0000
      s< 32 * 't' 0001 00 "1"
      ${bye('s')}
      ${hello5('s', '00', '01', `${anHour} 21 0001`)}
      s< 3a * 't' 0001 00 "1"
      ${quiet('s')}
      s> 40 02 0001
      s< 32 * 't' 0002 00 "2"
      ${quiet('s')}
      s> 40 02 0002
      s< 32 * 't' 0003 00 "3"`,
  },
  {
    about: 'MQTT5-3.1.2-24, MQTT5-3.1.2-25: what is too large for a client is passed over',
    sequence: `${hello5('s', '02', '00', `${anHour} 27 00000020`)}
      ${subscribed5('s', '#', '01')}
      ${hello5('p')}
      p> 32 * 't' 0001 00 "123456789012345678901234567890"
      p< 40 04 0001 0000
      p> 32 * 't' 0002 00 "fits"
      p< 40 04 0002 0000
      s< 32 * 't' 0001 00 "fits"`,
  },
  {
    about: 'MQTT5-3.1.2-23, MQTT5-3.2.2-1: a session that is to be kept is there, one that is not is not',
    sequence: `${hello5('a', '02', '00', anHour)}
      ${subscribed5('a', 't', '01')}
      ${bye('a')}
      ${hello5('a', '00', '01')}
      ${bye('a')}
      ${hello5('a', '00', '00')}`,
  },
  {
    about: 'MQTT5-3.1.2-5: what waited reaches a client that goes on with a session it does not keep',
    sequence: `${hello5('a', '02', '00', anHour)}
      ${subscribed5('a', 't', '01')}
      ${bye('a')}
      ${hello5('p')}
      p> 32 * 't' 0001 00 "x"
      p< 40 04 0001 0000
      ${hello5('a', '00', '01')}
      a< 32 * 't' 0001 00 "x"
      a> 40 02 0001`,
  },
  {
    about: 'MQTT5-3.1.2-4: a session that starts clean gets nothing of the one before, and is kept',
    sequence: `${hello5('a', '02', '00', anHour)}
      ${subscribed5('a', 't', '01')}
      ${bye('a')}
      ${hello5('p')}
      p> 32 * 't' 0001 00 "x"
      p< 40 04 0001 0000
      ${hello5('a', '02', '00', anHour)}
      ${quiet('a')}
      ${subscribed5('a', 'u', '01')}
      ${bye('a')}
      p> 32 * 'u' 0002 00 "y"
      p> 32 * 't' 0003 00 "z"
      p< 40 04 0002 0000
      p< 40 04 0003 0000
      ${hello5('a', '00', '01', anHour)}
      a< 32 * 'u' 0001 00 "y"`,
  },
  {
    about: 'MQTT5-3.14.2.2.2: DISCONNECT may end the session, or say how long it is kept',
    sequence: `${hello5('a', '02', '00', anHour)}
      ${subscribed5('a', 't', '01')}
      a> e0 07 00 05 11 00000e10
      a< closed
      ${hello5('a', '00', '01', anHour)}
      a> e0 07 00 05 11 00000000
      a< closed
      ${hello5('a', '00', '00', anHour)}`,
  },
  {
    about: 'MQTT5-3.2.2.3.2: a session that is to be kept for longer than is possible is kept for as long as is',
    sequence: hello5('a', '02', '00', '11 ffffffff', '11 00093a80'),
  },
  {
    about: 'MQTT5-3.1.4-3: the same id again: the old connection hears why, its will is published, the session goes on',
    sequence: `${hello5('w')}
      ${subscribed5('w', 'will', '00')}
      a> 10 * 'MQTT' 05 06 0000 05 ${anHour} 'same' ${section(`26 'k' 'v'`)} 'will' 'gone'
      a< 20 * 00 00 ${section(says5(''))}
      ${subscribed5('a', 't', '01')}
      b> 10 * 'MQTT' 05 00 0000 05 ${anHour} 'same'
      a< e0 02 8e 00
      a< closed
      b< 20 * 01 00 ${section(says5(''))}
      w< 30 * 'will' ${section(`26 'k' 'v'`)} "gone"`,
  },
  {
    about: 'MQTT5-3.1.3.2.2: a will that is to wait does not come while its session may go on, nor after it did',
    sequence: `${hello5('w')}
      ${subscribed5('w', 'will', '00')}
      a> 10 * 'MQTT' 05 06 0000 05 ${anHour} 'a' 05 18 00000e10 'will' 'gone'
      a< 20 * 00 00 ${section(says5(''))}
      a> gone
      b> 10 * 'MQTT' 05 00 0000 05 ${anHour} 'a'
      b< 20 * 00 00 ${section(says5(''))}
      ${quiet('w')}`,
  },
  {
    about: 'MQTT5-3.1.3.2.2: the delay of a will is told to nobody',
    sequence: `${hello5('w')}
      ${subscribed5('w', 'will', '00')}
      a> 10 * 'MQTT' 05 06 0000 00 'a' 0a 18 00000e10 02 0000003c 'will' 'gone'
      a< 20 * 00 00 ${section(says5(''))}
      a> gone
      w< 30 * 'will' 05 02 0000003c "gone"`,
  },
  {
    about: 'MQTT5-3.14.4-3: DISCONNECT with 0x04 leaves the will, with 0x00 it does not',
    sequence: `${hello5('w')}
      ${subscribed5('w', 'will', '00')}
      a> 10 * 'MQTT' 05 06 0000 00 'a' 00 'will' '1'
      a< 20 * 00 00 ${section(says5(''))}
      a> e0 01 04
      a< closed
      w< 30 * 'will' 00 "1"
      b> 10 * 'MQTT' 05 06 0000 00 'b' 00 'will' '2'
      b< 20 * 00 00 ${section(says5(''))}
      b> e0 01 00
      b< closed
      ${quiet('w')}`,
  },
  {
    about: 'MQTT5-3.1.2-22: a client that is silent for one and a half keepalives hears that it was',
    sequence: `a> 10 * 'MQTT' 05 02 0001 00 'a'\na< 20 * 00 00 ${section(says5(''))}\na< e0 02 8d 00\na< closed`,
  },
  {
    about: 'MQTT5-3.4.2.1, MQTT5-3.5.2.1: a publish that its client may not make is refused, and its client stays',
    sequence: `${hello5('a')}
      a> 32 * 'forbidden/t' 0001 00 "x"
      a< 40 04 0001 87 00
      a> 34 * 'forbidden/t' 0002 00 "x"
      a< 50 04 0002 87 00
      a> 30 * 'forbidden/t' 00 "x"
      a> 32 * 'allowed' 0003 00 "x"
      a< 40 04 0003 0000`,
  },
]
