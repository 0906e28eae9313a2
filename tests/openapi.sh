#!/usr/bin/env bash
# Generates clients from /openapi.json by four programs, and lets each resize a picture, list tasks and read facts.
# Needs Node 20, Python and Java 11 or later. The argument is the server's program.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "${1:-target/release/imgsrv}")
work=$PWD/target/openapi
sources=$PWD/tests/openapi
mkdir -p "$work"
cp "$sources"/* "$work"
cd "$work"

[ -x venv/bin/pip ] || python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check -r requirements.txt
npm install --no-audit --no-fund --silent

tasks=$(mktemp -d)
"$program" --bind 127.0.0.1:0 --http 127.0.0.1:0 --data-dir "$tasks" -qq >started &
server=$!
trap 'kill $server; wait $server 2>/dev/null || true; rm -rf "$tasks"' EXIT
until grep -q listening started; do kill -0 $server; sleep 0.1; done
address=http://$(sed -n 's/^imgsrv http on //p' started)
curl -sf "$address/openapi.json" -o openapi.json

echo "== redocly lint"
npx redocly lint --format summary openapi.json

echo "== answers fit their schemas"
venv/bin/python answers.py "$address"

echo "== openapi-python-client"
rm -rf python_client
venv/bin/openapi-python-client generate --fail-on-warning --path openapi.json --config openapi-python-client.yml --output-path python_client
PYTHONPATH=python_client venv/bin/python use_openapi_python_client.py "$address"

echo "== openapi-generator: python"
rm -rf generated_python
venv/bin/openapi-generator-cli generate -g python -i openapi.json -o generated_python --package-name imgsrv_generated >generator.log
PYTHONPATH=generated_python venv/bin/python use_openapi_generator.py "$address"

echo "== openapi-generator: typescript-fetch"
rm -rf generated_fetch
venv/bin/openapi-generator-cli generate -g typescript-fetch -i openapi.json -o generated_fetch \
    --additional-properties=importFileExtension=.js,stringEnums=false >>generator.log

echo "== openapi-typescript"
npx openapi-typescript openapi.json -o schema.d.ts >/dev/null
rm -rf compiled
npx tsc -p .
node compiled/use_typescript_fetch.js "$address"
node compiled/use_openapi_typescript.js "$address"
