# Recipes for people who work on headrace. `just` alone lists them; the dev group installs it.

set positional-arguments # so that quoted arguments stay whole

venv := ".venv"
bin := venv / "bin"

# list the recipes
default:
    @just --list

# make the virtual environment with everything that development needs
setup:
    python3 -m venv {{venv}}
    {{bin}}/pip install --quiet --upgrade pip
    {{bin}}/pip install --quiet --editable . --group dev --constraint constraints.txt

# lint, types, import contracts: what CI checks before the tests
check:
    {{bin}}/ruff format --check .
    {{bin}}/ruff check .
    {{bin}}/pyright
    {{bin}}/lint-imports

# run the quick tests (arguments go to pytest: `just test tests/runner -k resume`)
test *ARGS:
    {{bin}}/pytest -n 2 --dist worksteal -m 'not long' "$@"

# run all tests, with branch coverage
test-all *ARGS:
    {{bin}}/pytest -n 2 --dist worksteal --cov --durations=25 "$@"

# run all tests on every supported Python that is installed, each in an environment of its own
test-pythons *ARGS:
    #!/usr/bin/env bash
    set -uo pipefail
    failed=""
    for python in python3.11 python3.12 python3.13; do
        if ! "$python" -c "" 2>/dev/null; then
            echo "skipped: $python"
            continue
        fi
        echo "== $python"
        bin=".venv-$python/bin"
        "$python" -m venv ".venv-$python" &&
            "$bin/pip" install --quiet --upgrade pip &&
            "$bin/pip" install --quiet --editable . --group test --constraint constraints.txt &&
            "$bin/pytest" -n 2 --dist worksteal "$@" ||
            failed="$failed $python"
    done
    test -z "$failed" || { echo "failed:$failed"; exit 1; }

# fix what can be fixed automatically
fix:
    {{bin}}/ruff check --fix .
    {{bin}}/ruff format .

# run the demo
demo:
    {{bin}}/headrace demo

# install what the benchmarks compare with (Debian packages, and one virtual environment per peer)
bench-setup:
    {{bin}}/python -m benchmarks setup

# measure, side by side (arguments go to the program: `just bench --help`)
bench *ARGS:
    {{bin}}/python -m benchmarks run "$@"

# compare how well rate limits are used, in virtual time, and against the peers on real sockets
bench-pacing *ARGS:
    {{bin}}/python -m benchmarks pacing "$@"

# play COUNT whole histories of an output from seeds, and check the promises after each
simulate COUNT="20000":
    {{bin}}/python -m tests.runner.simulation {{COUNT}}

# kill real processes COUNT times, and check that nothing is lost or paid twice
torture COUNT="100":
    {{bin}}/python -m tests.runner.torture {{COUNT}}

# compare the client with the reference package, in an environment of its own
differential:
    python3 -m venv .venv-differential
    .venv-differential/bin/pip install --quiet --upgrade pip
    .venv-differential/bin/pip install --quiet --editable . --group differential
    .venv-differential/bin/pytest tests/client/differential

# plant bugs one at a time in a copy of the tree; each must make some test fail
planted-bugs *WORDS:
    {{bin}}/python -m tests.planted_bugs "$@"
