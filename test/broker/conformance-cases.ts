/**
 * MQTT 3.1.1 as packet sequences, by the statements of the specification that they hold the broker to. The language is in
 * sequence.ts.
 */
export type Case = { readonly about: string; readonly sequence: string }

/** Client `who` connects and is welcomed; flags of CONNECT: 02 clean, 00 with a session. */
export const hello = (who: string, flags = '02', present = '00'): string =>
  `${who}> 10 * 'MQTT' 04 ${flags} 0000 '${who}'\n${who}< 20 02 ${present} 00`
const subscribed = (who: string, filter: string, qos: number): string =>
  `${who}> 82 * 0001 '${filter}' 0${qos}\n${who}< 90 03 0001 0${qos}`
const bye = (who: string): string => `${who}> e000\n${who}< closed`
/** Everything sent before has been answered. */
const quiet = (who: string): string => `${who}> c000\n${who}< d000`

/** What a client sends as its first packet, for which its connection is closed without an answer. */
const closesAtOnce: Readonly<Record<string, string>> = {
  'MQTT-3.1.0-1: the first packet is no CONNECT': `c000`,
  'MQTT-3.1.2-1: the name of the protocol is wrong': `10 * 'MQTX' 04 02 0000 'a'`,
  'MQTT-3.1.2-3: the reserved flag is set': `10 * 'MQTT' 04 03 0000 'a'`,
  'MQTT-3.1.2-13: a will QoS without a will': `10 * 'MQTT' 04 0a 0000 'a'`,
  'MQTT-3.1.2-14: will QoS 3': `10 * 'MQTT' 04 1e 0000 'a' 't' 'w'`,
  'MQTT-3.1.2-15: will retain without a will': `10 * 'MQTT' 04 22 0000 'a'`,
  'MQTT-3.1.2-22: a password without a user': `10 * 'MQTT' 04 42 0000 'a' 'p'`,
  'MQTT-3.1.3-10: a will topic that is no UTF-8': `10 * 'MQTT' 04 06 0000 'a' 0001 ff 'w'`,
  'MQTT-2.2.2-2: flags of CONNECT': `11 * 'MQTT' 04 02 0000 'a'`,
  'MQTT-2.2.3: a length of five bytes': `10 ff ff ff ff 01`,
  'A8: bytes after the client id': `10 * 'MQTT' 04 02 0000 'a' 00`,
  'A8: a client id that is cut off': `10 * 'MQTT' 04 02 0000 0002 "a"`,
  'A8: a will in CONNECT without its payload': `10 * 'MQTT' 04 06 0000 'a' 't'`,
}

/** What a client that is connected sends, for which its connection is closed [MQTT-4.8.0-1]. */
const closesLater: Readonly<Record<string, string>> = {
  'MQTT-3.1.0-2: a second CONNECT': `10 * 'MQTT' 04 02 0000 'a'`,
  'MQTT-2.2.2-2: flags of SUBSCRIBE': `80 * 0001 't' 00`,
  'MQTT-2.2.2-2: flags of UNSUBSCRIBE': `a0 * 0001 't'`,
  'MQTT-2.2.2-2: flags of PUBACK': `41 02 0001`,
  'MQTT-2.2.2-2: flags of PUBREL': `60 02 0001`,
  'MQTT-2.2.2-2: flags of PINGREQ': `c1 00`,
  'MQTT-3.14.1-1: flags of DISCONNECT': `e1 00`,
  'MQTT-2.3.1-1: PUBLISH with packet id 0': `32 * 't' 0000 "x"`,
  'MQTT-2.3.1-1: SUBSCRIBE with packet id 0': `82 * 0000 't' 00`,
  'MQTT-2.3.1-1: UNSUBSCRIBE with packet id 0': `a2 * 0000 't'`,
  'MQTT-3.3.1-2: DUP with QoS 0': `38 * 't' "x"`,
  'MQTT-3.3.1-4: QoS 3': `36 * 't' 0001 "x"`,
  'MQTT-3.3.2-1: a topic that is cut off': `30 03 0005 "a"`,
  'MQTT-3.3.2-2: a wildcard in a topic': `30 * 'a/+' "x"`,
  'MQTT-4.7.3-1: an empty topic': `30 * '' "x"`,
  'MQTT-1.5.3-1: a topic that is no UTF-8': `30 * 0002 c3 28 "x"`,
  'MQTT-1.5.3-1: a topic with half of a surrogate pair': `30 * 0003 ed a0 80 "x"`,
  'MQTT-1.5.3-2: U+0000 in a topic': `30 * 0003 61 00 62 "x"`,
  'MQTT-3.8.3-1: a filter that is no UTF-8': `82 * 0001 0001 ff 00`,
  'MQTT-3.8.3-3: SUBSCRIBE without a filter': `82 02 0001`,
  'MQTT-3-8.3-4: reserved bits of a subscription': `82 * 0001 't' 04`,
  'MQTT-3-8.3-4: a subscription of QoS 3': `82 * 0001 't' 03`,
  'MQTT-3.10.3-2: UNSUBSCRIBE without a filter': `a2 02 0001`,
  'MQTT-4.7.1-2: # that is not the last level': `82 * 0001 'a/#/b' 00`,
  'A8: bytes after the last subscription': `82 * 0001 't' 00 00`,
  'A8: bytes after a packet id': `40 03 0001 00`,
  'A8: PINGREQ with a byte': `c0 01 00`,
  'a packet that only a server may send': `20 02 00 00`,
  'packet type 0': `00 00`,
  'packet type 15': `f0 00`,
}

const qosPairs = [0, 1, 2].flatMap(sent => [0, 1, 2].map(asked => [sent, asked] as const))
const publishOf = (qos: number, id: string, topic: string, text: string): string =>
  `3${qos * 2} * '${topic}'${qos > 0 ? ` ${id}` : ''} "${text}"`
/** What the publisher does, and what the subscriber gets and answers. */
const sends = (qos: number): string =>
  [
    `p> ${publishOf(qos, '0007', 't', 'x')}`,
    ...(qos === 1 ? ['p< 40 02 0007'] : []),
    ...(qos === 2 ? ['p< 50 02 0007', 'p> 62 02 0007', 'p< 70 02 0007'] : []),
  ].join('\n')
const gets = (qos: number): string =>
  [
    `s< ${publishOf(qos, '0001', 't', 'x')}`,
    ...(qos === 1 ? ['s> 40 02 0001'] : []),
    ...(qos === 2 ? ['s> 50 02 0001', 's< 62 02 0001', 's> 70 02 0001'] : []),
  ].join('\n')

export const cases: readonly Case[] = [
  ...Object.entries(closesAtOnce).map(([about, bytes]) => ({ about, sequence: `a> ${bytes}\na< closed` })),
  ...Object.entries(closesLater).map(([about, bytes]) => ({
    about,
    sequence: `${hello('a')}\na> ${bytes}\na< closed`,
  })),
  ...qosPairs.map(([sent, asked]) => ({
    about: `MQTT-3.8.4-6, MQTT-4.3: sent with QoS ${sent} to a subscription of QoS ${asked}`,
    sequence: [
      hello('p'),
      hello('s'),
      subscribed('s', 't', asked),
      sends(sent),
      gets(Math.min(sent, asked)),
      quiet('s'),
    ].join('\n'),
  })),
  {
    about: 'MQTT-3.1.2-2: a level that nobody speaks is answered with 0x01',
    sequence: `a> 10 * 'MQTT' 09 02 0000 'a'\na< 20 02 00 01\na< closed`,
  },
  {
    about: 'MQTT-3.1.3-6: a client without an id that asks for no session comes in, and twice',
    sequence: `a> 10 * 'MQTT' 04 02 0000 ''\na< 20 02 00 00\nb> 10 * 'MQTT' 04 02 0000 ''\nb< 20 02 00 00\n${quiet('a')}`,
  },
  {
    about: 'MQTT-3.1.3-8: a client without an id that asks for a session is answered with 0x02 [A9]',
    sequence: `a> 10 * 'MQTT' 04 00 0000 ''\na< 20 02 00 02\na< closed`,
  },
  {
    about: 'MQTT-3.1.3-4: a client id that is no UTF-8 is answered with 0x02',
    sequence: `a> 10 * 'MQTT' 04 02 0000 0001 ff\na< 20 02 00 02\na< closed`,
  },
  {
    about: 'MQTT 3.1: a client of the year 2010 publishes and subscribes',
    sequence: `a> 10 * 'MQIsdp' 03 02 0000 'old'
      a< 20 02 00 00
      ${subscribed('a', 't', 1)}
      a> 32 * 't' 0001 "x"
      a< 40 02 0001
      a< 32 * 't' 0001 "x"
      a> 40 02 0001`,
  },
  {
    about: 'MQTT 3.1: a client of it without an id is answered with 0x02',
    sequence: `a> 10 * 'MQIsdp' 03 02 0000 ''\na< 20 02 00 02\na< closed`,
  },
  {
    about: 'MQTT-3.1.2-24: a client that is silent for one and a half keepalives is closed',
    sequence: `a> 10 * 'MQTT' 04 02 0001 'a'\na< 20 02 00 00\na< closed`,
  },
  {
    about: 'MQTT-3.1.4-5: what comes behind CONNECT before CONNACK is answered after it',
    sequence: `a> 10 0d 'MQTT' 04 02 0000 'a' c000 c000\na< 20 02 0000 d000 d000`,
  },
  {
    about: 'MQTT-3.1.2-6, MQTT-3.2.2-1, MQTT-3.2.2-2: session present, until a clean session ends it',
    sequence: [
      hello('a', '00', '00'),
      subscribed('a', 't', 1),
      bye('a'),
      hello('a', '00', '01'),
      bye('a'),
      hello('a', '02', '00'),
      bye('a'),
      hello('a', '00', '00'),
    ].join('\n'),
  },
  {
    about: 'MQTT-3.1.4-2: the same id again closes the old connection, publishes its will and goes on with its session',
    sequence: `${hello('w')}
      ${subscribed('w', 'will', 0)}
      a> 10 * 'MQTT' 04 04 0000 'a' 'will' 'gone'
      a< 20 02 00 00
      ${subscribed('a', 't', 1)}
      b> 10 * 'MQTT' 04 00 0000 'a'
      b< 20 02 01 00
      a< closed
      w< 30 * 'will' "gone"
      w> 32 * 't' 0001 "x"
      w< 40 02 0001
      b< 32 * 't' 0001 "x"
      b> 40 02 0001`,
  },
  {
    about: 'MQTT-3.1.2-8, MQTT-3.1.2-16, MQTT-3.1.2-17: a will of QoS 2 that is retained is published, and kept',
    sequence: `${hello('w')}
      ${subscribed('w', 'will', 2)}
      a> 10 * 'MQTT' 04 36 0000 'a' 'will' 'gone'
      a< 20 02 00 00
      a> gone
      w< 34 * 'will' 0001 "gone"
      w> 50 02 0001
      w< 62 02 0001
      w> 70 02 0001
      ${hello('n')}
      ${subscribed('n', 'will', 0)}
      n< 31 * 'will' "gone"`,
  },
  {
    about: 'MQTT-3.1.2-10, MQTT-3.14.4-3: DISCONNECT discards the will',
    sequence: `${hello('w')}
      ${subscribed('w', 'will', 0)}
      a> 10 * 'MQTT' 04 06 0000 'a' 'will' 'gone'
      a< 20 02 00 00
      ${bye('a')}
      ${quiet('w')}`,
  },
  {
    about: 'MQTT-3.1.2-8: a client that breaks the protocol leaves its will',
    sequence: `${hello('w')}
      ${subscribed('w', 'will', 0)}
      a> 10 * 'MQTT' 04 06 0000 'a' 'will' 'gone'
      a< 20 02 00 00
      a> 00 00
      a< closed
      w< 30 * 'will' "gone"`,
  },
  {
    about: 'MQTT-3.14.4-1, MQTT-3.14.4-2: nothing after DISCONNECT is looked at',
    sequence: `${hello('w')}\n${subscribed('w', 't', 0)}\n${hello('a')}\na> e000 30 04 't' "x"\na< closed\n${quiet('w')}`,
  },
  { about: 'MQTT-3.12.4-1: PINGREQ is answered', sequence: `${hello('a')}\na> c000 c000\na< d000 d000` },
  {
    about:
      'MQTT-3.3.1-6, MQTT-3.3.1-8, MQTT-3.3.1-9: a retained message goes to those who come with RETAIN, to others without',
    sequence: `${hello('s')}
      ${subscribed('s', 't', 1)}
      ${hello('p')}
      p> 33 * 't' 0001 "x"
      p< 40 02 0001
      s< 32 * 't' 0001 "x"
      s> 40 02 0001
      ${hello('n')}
      ${subscribed('n', '+', 1)}
      n< 33 * 't' 0001 "x"
      n> 40 02 0001`,
  },
  {
    about: 'MQTT-3.3.1-5, MQTT-3.8.4-3: the newest is kept, and sent again to whoever subscribes again',
    sequence: `${hello('p')}
      p> 33 * 't' 0001 "1"
      p< 40 02 0001
      p> 31 * 't' "2"
      ${quiet('p')}
      ${hello('s')}
      ${subscribed('s', 't', 0)}
      s< 31 * 't' "2"
      ${subscribed('s', 't', 0)}
      s< 31 * 't' "2"`,
  },
  {
    about: 'MQTT-3.3.1-10, MQTT-3.3.1-11: a retained message of no bytes is delivered, and removes what was kept',
    sequence: `${hello('s')}
      ${subscribed('s', 't', 0)}
      ${hello('p')}
      p> 33 * 't' 0001 "x"
      p< 40 02 0001
      s< 30 * 't' "x"
      p> 33 * 't' 0002
      p< 40 02 0002
      s< 30 * 't'
      ${hello('n')}
      ${subscribed('n', 't', 0)}
      ${quiet('n')}`,
  },
  {
    about: 'MQTT-4.3.3-2: of QoS 2 sent twice before PUBREL one is delivered, and PUBREL is answered, known or not',
    sequence: `${hello('s')}
      ${subscribed('s', 't', 0)}
      ${hello('p')}
      p> 34 * 't' 0007 "x"
      p< 50 02 0007
      p> 3c * 't' 0007 "x"
      p< 50 02 0007
      p> 62 02 0007
      p< 70 02 0007
      p> 34 * 't' 0007 "y"
      p< 50 02 0007
      p> 62 02 0007
      p< 70 02 0007
      p> 62 02 0099
      p< 70 02 0099
      s< 30 * 't' "x"
      s< 30 * 't' "y"`,
  },
  {
    about: 'MQTT-4.3.2-2: QoS 1 sent again with DUP is delivered again, without DUP',
    sequence: `${hello('s')}
      ${subscribed('s', 't', 0)}
      ${hello('p')}
      p> 32 * 't' 0007 "x"
      p< 40 02 0007
      p> 3a * 't' 0007 "x"
      p< 40 02 0007
      s< 30 * 't' "x"
      s< 30 * 't' "x"`,
  },
  {
    about: 'MQTT-3.1.2-5, MQTT-4.6.0-6: what came while a session was away is delivered in order, of QoS 1 and 2',
    sequence: `${hello('s', '00')}
      ${subscribed('s', 't', 2)}
      ${bye('s')}
      ${hello('p')}
      p> 32 * 't' 0001 "1"
      p< 40 02 0001
      p> 34 * 't' 0002 "2"
      p< 50 02 0002
      p> 32 * 't' 0003 "3"
      p< 40 02 0003
      ${hello('s', '00', '01')}
      s< 32 * 't' 0001 "1"
      s< 34 * 't' 0002 "2"
      s< 32 * 't' 0003 "3"`,
  },
  {
    about:
      'MQTT-4.4.0-1, MQTT-3.3.1-1: what was not acknowledged comes again with DUP and its id, PUBREL too, before the rest',
    sequence: `${hello('s', '00')}
      ${subscribed('s', 't', 2)}
      ${hello('p')}
      p> 32 * 't' 0001 "1"
      p> 34 * 't' 0002 "2"
      p> 34 * 't' 0003 "3"
      p< 40 02 0001
      p< 50 02 0002
      p< 50 02 0003
      s< 32 * 't' 0001 "1"
      s< 34 * 't' 0002 "2"
      s< 34 * 't' 0003 "3"
      s> 50 02 0002
      s< 62 02 0002
      s> gone
      ${quiet('p')}
      r> 10 * 'MQTT' 04 00 0000 's'
      r< 20 02 01 00
      r< 3a * 't' 0001 "1"
      r< 62 02 0002
      r< 3c * 't' 0003 "3"
      r> 40 02 0001
      r> 70 02 0002
      r> 50 02 0003
      r< 62 02 0003
      r> 70 02 0003
      p> 32 * 't' 0004 "4"
      p< 40 02 0004
      r< 32 * 't' 0004 "4"
      r> 40 02 0004`,
  },
  {
    about: 'MQTT-3.1.2-6: a clean session gets nothing of what waited for the one before',
    sequence: `${hello('s', '00')}
      ${subscribed('s', 't', 1)}
      ${bye('s')}
      ${hello('p')}
      p> 32 * 't' 0001 "1"
      p< 40 02 0001
      ${hello('s', '02')}
      ${quiet('s')}`,
  },
  {
    about:
      'MQTT-3.3.5-1: subscriptions that overlap give one message with the greatest QoS, in whatever order they came',
    sequence: `${hello('s')}
      ${subscribed('s', 't/+', 0)}
      ${subscribed('s', 't/a', 1)}
      ${subscribed('s', '#', 2)}
      ${hello('p')}
      p> 34 * 't/a' 0001 "x"
      p< 50 02 0001
      p> 62 02 0001
      p< 70 02 0001
      s< 34 * 't/a' 0001 "x"
      ${quiet('s')}`,
  },
  {
    about: 'MQTT-3.3.5-1: and so for a session, there or away',
    sequence: `${hello('s', '00')}
      ${subscribed('s', 't/a', 0)}
      ${subscribed('s', 't/+', 1)}
      ${hello('p')}
      p> 34 * 't/a' 0001 "x"
      p< 50 02 0001
      s< 32 * 't/a' 0001 "x"
      s> 40 02 0001
      ${bye('s')}
      p> 34 * 't/a' 0002 "y"
      p< 50 02 0002
      ${hello('s', '00', '01')}
      s< 32 * 't/a' 0002 "y"`,
  },
  {
    about: 'MQTT-3.8.4-3: a subscription again takes the place of the first',
    sequence: `${hello('s')}
      ${subscribed('s', 't', 0)}
      ${subscribed('s', 't', 1)}
      s> 32 * 't' 0001 "x"
      s< 40 02 0001
      s< 32 * 't' 0001 "x"
      s> 40 02 0001
      ${subscribed('s', 't', 0)}
      s> 32 * 't' 0001 "x"
      s< 40 02 0001
      s< 30 * 't' "x"`,
  },
  {
    about:
      'MQTT-3.8.4-5, MQTT-3.9.3-1: SUBACK has a code for each filter in their order, also if one comes twice or is a number',
    sequence: `${hello('s')}
      s> 82 * 0001 'b' 02 '1' 01 '0' 00 '$internal' 01 'b' 00
      s< 90 * 0001 02 01 00 80 00
      s> 82 * 0002 '__proto__' 01 'constructor' 02
      s< 90 * 0002 01 02
      s> 30 * 'b' "x"
      s> 30 * 'constructor' "y"
      s< 30 * 'b' "x"
      s< 30 * 'constructor' "y"`,
  },
  {
    about: 'MQTT-3.10.4-1, MQTT-3.10.4-4, MQTT-3.10.4-5, MQTT-3.10.4-6: UNSUBSCRIBE is acknowledged, of nothing too',
    sequence: `${hello('s')}
      s> a2 * 0001 'nothing'
      s< b0 02 0001
      ${subscribed('s', 't', 1)}
      ${subscribed('s', 'u', 0)}
      s> a2 * 0002 't' 'nothing'
      s< b0 02 0002
      s> 30 * 't' "x"
      s> 30 * 'u' "y"
      s< 30 * 'u' "y"`,
  },
  {
    about: 'MQTT-4.7.1-3, MQTT-4.7.2-1, MQTT-4.7.3-4: wildcards match whole levels, the level above # and empty ones',
    sequence: `${hello('s')}
      ${subscribed('s', 'a/#', 0)}
      ${subscribed('s', '+/+/b', 0)}
      s> 30 * 'a' "1"
      s> 30 * 'a/x' "2"
      s> 30 * '/x/b' "3"
      s> 30 * 'A' "4"
      s> 30 * 'ab' "5"
      s> 30 * '//b' "6"
      s< 30 * 'a' "1"
      s< 30 * 'a/x' "2"
      s< 30 * '/x/b' "3"
      s< 30 * '//b' "6"`,
  },
  {
    about: 'MQTT-1.5.3-3: texts of four bytes a character, and U+FEFF, are what they are',
    sequence: `${hello('s')}
      ${subscribed('s', '+/🌡', 0)}
      s> 30 * '\ufeff/🌡' "x"
      s< 30 * '\ufeff/🌡' "x"`,
  },
  {
    about: 'MQTT-4.3.1: no bytes are a message too',
    sequence: `${hello('s')}\n${subscribed('s', 't', 1)}\ns> 32 * 't' 0001\ns< 40 02 0001\ns< 32 * 't' 0001\ns> 40 02 0001`,
  },
  {
    about: 'MQTT-4.3.2: acknowledgements of what was never sent are passed over',
    sequence: `${hello('s')}\ns> 40 02 0005\ns> 50 02 0006\ns< 62 02 0006\ns> 70 02 0006\n${quiet('s')}`,
  },
  {
    about: 'MQTT-4.6.0-2, MQTT-4.6.0-3: acknowledgements keep the order of the publishes, whatever way they take',
    sequence: `${hello('p')}
      p> 32 1b 'sensors/a' 0001 "1234567890abcd" 33 0a 'u/v' 0002 "xyz" 32 0e 'sensors/c' 0003 "x" 34 0e 'sensors/b' 0004 "x" 34 0e 'sensors/b' 0005 "x"
      p< 40 02 0001
      p< 40 02 0002
      p< 40 02 0003
      p< 50 02 0004
      p< 50 02 0005`,
  },
]
