/**
 * Where the broker listens, by who may come. As long as nobody has said who may come in, nobody but this machine can:
 * each address becomes that of this machine, on the same port. Pure.
 */
type Place = { readonly host: string; readonly port: number }

export function placesToListen<Kind extends Place>(
  wanted: readonly Kind[] | undefined,
  usual: Kind,
  { isFirstRun, hasUsers }: { readonly isFirstRun: boolean; readonly hasUsers: boolean },
): readonly Kind[] {
  const places = wanted ?? [hasUsers ? { ...usual, host: '0.0.0.0' } : usual]
  if (!isFirstRun) return places
  const seen = new Set<string>()
  return places.map(homeOf).filter(place => {
    const text = JSON.stringify(place)
    // Any free port is another each time.
    if (seen.has(text) && place.port !== 0) return false
    seen.add(text)
    return true
  })
}

function homeOf<Kind extends Place>(place: Kind): Kind {
  if (isOfThisMachine(place.host)) return place
  return { ...place, host: place.host.includes(':') ? '::1' : '127.0.0.1' }
}

export function isOfThisMachine(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}
