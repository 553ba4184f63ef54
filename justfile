# Every command of the project. `just` lists them; without just, `npx -y rust-just COMMAND` does the same.
# Each brings what it needs by itself, so a fresh clone may begin with any of them.

set positional-arguments

# Runs a command with the project's own Node and tools.
inside := "node scripts/environment.mjs"

# Lists the commands.
default:
    @{{ just_executable() }} --list --unsorted

# Brings what the machine lacks: npm packages, the wasm32 target, build tools. Also done by every command below.
setup *ARGS:
    node scripts/setup.mjs "$@"

# Says what is missing, and the command that mends it.
doctor *ARGS:
    @node scripts/doctor.mjs "$@"

# Shows it at work: builds, runs, replays a sample log, sends live requests, prints the top paths, stays up.
demo *ARGS: _ready
    @{{ inside }} node scripts/demo.mjs "$@"

# Builds and runs all Workers locally: producer on 8787, api on 8788.
dev *ARGS: _ready
    @{{ inside }} node scripts/dev.mjs "$@"

# Builds the Workers, the dashboard and the program `pathstats`, or the Workers named.
build *ARGS: _ready
    @{{ inside }} node scripts/build.mjs "$@"

# Runs every test: native, inside the Workers runtime, end to end, in a browser.
test: test-native test-wasm e2e browser

# Runs the tests that need no runtime: the model, the program, the scripts, what the dashboard computes.
test-native *ARGS: _ready
    {{ inside }} cargo test --locked "$@"
    {{ inside }} node --test scripts/*.test.mjs scripts/deploy/*.test.mjs tests/runner/*.test.mjs workers/api/dashboard/tests/*.test.ts

# Runs the tests of the platform's adapters inside workerd, with real bindings.
test-wasm *ARGS: _ready
    {{ inside }} node scripts/test-wasm.mjs "$@"

# Runs the end-to-end tests, over the Workers' real configs.
e2e *ARGS: build
    {{ inside }} node --test --test-timeout=600000 "$@" tests/e2e/*.test.mjs

# Has the last release's Workers and these meet, as during a deployment and a rollback; `--record` records what the release writes.
compatibility *ARGS: build
    {{ inside }} node scripts/compatibility.mjs "$@"

# Opens the dashboard in a browser over the running Workers: every view, light and dark, by keyboard, on a phone.
browser *ARGS: build
    @node scripts/setup.mjs --browser --quiet
    {{ inside }} node --test --test-timeout=600000 "$@" tests/browser/*.test.mjs

# Takes the pictures of the dashboard that the docs show.
screenshots *ARGS: build
    @node scripts/setup.mjs --browser --quiet
    {{ inside }} node scripts/screenshots.mjs "$@"

# Checks formatting, lints (native and wasm32), dependencies, licences, and that the docs' commands exist.
check *ARGS: _ready
    @node scripts/setup.mjs --check --quiet
    @{{ inside }} node scripts/check.mjs "$@"

# Formats the Rust code.
fmt:
    cargo fmt --all

# Measures: time a batch, events a second, rows written an event, what the proxy adds.
bench *ARGS: build
    {{ inside }} node scripts/bench.mjs "$@"

# Runs a million events through everything, and compares with a plain recount. Takes long.
soak *ARGS: build
    {{ inside }} node scripts/soak.mjs "$@"

# Has pyarrow, DuckDB, Python and gunzip read the archives' files. Needs Python 3, and installs the first two under .tools.
interop *ARGS: _ready
    test -x .tools/interop/bin/python || python3 -m venv .tools/interop
    .tools/interop/bin/pip install --quiet --disable-pip-version-check "pyarrow>=20,<27" "duckdb>=1,<3"
    {{ inside }} .tools/interop/bin/python tests/interop/archives.py "$@"

# Has schemathesis ask the API some thousand things that its OpenAPI document allows or does not. Needs Python 3, and installs it under .tools.
fuzz-api *ARGS: build
    test -x .tools/fuzz/bin/python || python3 -m venv .tools/fuzz
    .tools/fuzz/bin/pip install --quiet --disable-pip-version-check "schemathesis>=4.32,<5"
    {{ inside }} node tests/fuzz/api.mjs "$@"

# Makes the OpenAPI document and the API's reference anew, from the code.
openapi: _ready
    {{ inside }} cargo run --quiet --locked -p pathstats-openapi

# Deploys staging or production: creates what is missing, applies migrations, deploys in order, checks, rolls back.
deploy *ARGS: _ready
    @{{ inside }} node scripts/deploy.mjs "$@"

# Removes what local runs stored.
reset *ARGS:
    @node scripts/reset.mjs "$@"

_ready:
    @node scripts/setup.mjs --quiet
