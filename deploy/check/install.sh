#!/usr/bin/env bash
# Puts the tools of `npm run check:deploy` into a folder; says nothing unless something fails.
set -euo pipefail
tools=$(mkdir -p "$1" && cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)

(
  cd "$tools"
  [ -x bin/compose ] && exit
  GOBIN="$tools/bin" go install github.com/compose-spec/compose-go/v2/cmd@v2.16.2
  mv bin/cmd bin/compose
) >"$tools/go.log" 2>&1 &
go=$!

pip() {
  python3 -m pip install --quiet --disable-pip-version-check --no-deps --root-user-action ignore --target "$tools/python" "$@"
}
if ! [ -x "$tools/python/bin/hadolint" ]; then
  pip -r "$here/requirements-native.txt"
  pip --require-hashes -r "$here/requirements.txt"
fi

if ! [ -x "$tools/prometheus/usr/bin/promtool" ]; then
  cd "$tools"
  apt-get download -qq prometheus >/dev/null 2>&1 || { apt-get update -qq >/dev/null 2>&1 && apt-get download -qq prometheus >/dev/null 2>&1; }
  dpkg -x prometheus_*.deb prometheus
fi

wait "$go" || { cat "$tools/go.log" >&2; exit 1; }
