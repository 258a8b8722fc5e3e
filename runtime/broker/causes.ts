/** The causes under which we count what aedes says of a client in words. */
const causesByMessage: Readonly<Record<string, string>> = {
  'connect did not arrive in time': 'connect_timeout',
  'keep alive timeout': 'keepalive',
  'drain timeout': 'slow_reader',
  'Client queue limit reached': 'queue_limit',
  'bad user name or password': 'login',
}

export function causeOf(message: string): string {
  // With a number behind.
  return message.startsWith('maxInflightInbound') ? 'inflight_qos2' : (causesByMessage[message] ?? 'protocol')
}
