# Recipes for people who work on headrace. `just` alone lists them; it comes with the dev group from PyPI.

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

# run the tests (arguments go to pytest: `just test tests/runner -k resume`)
test *ARGS:
    {{bin}}/pytest -n 2 --cov {{ARGS}}

# mend what can be mended by itself
fix:
    {{bin}}/ruff check --fix .
    {{bin}}/ruff format .

# run the demo
demo:
    {{bin}}/headrace demo
