#!/usr/bin/env bash
# The whole test command: packages, format, lint, build, tests. Everything it starts listens on loopback.
# Usage: npm test [-- FILE…]    FILE is a test below test/, such as test/store/suite.test.ts; without any, all run.
set -euo pipefail
cd "$(dirname "$0")/.."

# What the tests need from Debian: real MQTT clients and brokers, a compiler for the fault recorder, and networks of their own.
needed=(mosquitto-clients mosquitto python3-paho-mqtt nats-server openssl gcc libc6-dev iproute2 nftables python3-pymodbus python3-serial-asyncio)
missing=()
for package in "${needed[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing ${missing[*]}"
    # Services of the packages must not start: a mosquitto on the standard port would stand in the way of people.
    printf '#!/bin/sh\nexit 101\n' >/tmp/holdfast-policy-rc.d
    if [ ! -e /usr/sbin/policy-rc.d ]; then
      install -m 755 /tmp/holdfast-policy-rc.d /usr/sbin/policy-rc.d
      trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  else
    echo "The tests need these Debian packages, and this user may not install them: ${missing[*]} (try: sudo apt-get install ${missing[*]})" >&2
    exit 1
  fi
fi

if [ "$#" -eq 0 ]; then
  npx biome format
  npx oxlint --type-aware
  npx knip
fi
npm run -s build

files=()
if [ "$#" -eq 0 ]; then
  while IFS= read -r file; do files+=("$file"); done < <(find dist/test -name '*.test.js' | sort)
else
  for file in "$@"; do file="dist/${file%.ts}.js"; files+=("${file/.js.js/.js}"); done
fi
[ "${#files[@]}" -gt 0 ] || { echo "There are no tests to run." >&2; exit 1; }
# Most tests wait for something: a few at once keep two cores busy. One that hangs must not keep the rest from telling.
node --enable-source-maps --import ./dist/test/seed.js --test --test-concurrency=3 --test-timeout=600000 --test-force-exit --test-reporter=spec "${files[@]}"
