"""What must be known before the first request: the format of the input, and the server."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

import attrs

from headrace._exceptions import BadLine, RunRefused
from headrace.dialects import Dialect, detect, make_dialect
from headrace.input.files import Inputs
from headrace.input.lines import InputLine
from headrace.input.scan import too_long
from headrace.policy.options import RunOptions, ServerOptions
from headrace.policy.text import decode_file
from headrace.run.endpoint import Endpoint, clean_key, extra_headers, resolve_endpoint

SIMULATOR = Endpoint(base_url="http://simulator.localhost", headers={}, secrets=())


@attrs.frozen(kw_only=True)
class Prepared:
    """An input with its dialect, and the server to send it to."""

    inputs: Inputs
    source: FirstLineSource
    dialect: Dialect
    endpoint: Endpoint
    recipe: Mapping[str, object]
    """Everything that shapes the answers besides the lines, including whether they are simulated."""


@attrs.define
class FirstLineSource(AsyncIterator[list[InputLine]]):
    """The lines of an input whose first batches have been read already. Iterate over it once."""

    _seen: deque[list[InputLine]]
    _rest: AsyncIterator[list[InputLine]]

    def batches(self) -> AsyncIterator[list[InputLine]]:
        """Return the input from its beginning.

        It is not an async generator: a reader may stop in the middle, and a generator would need closing.
        """
        return self

    async def __anext__(self) -> list[InputLine]:
        return self._seen.popleft() if self._seen else await anext(self._rest)


async def prepare(options: RunOptions, inputs: Inputs) -> Prepared:
    """Read the first line, and decide what depends on it. Raises `RunRefused`."""
    rest = inputs.batches()
    seen = [lines async for lines in _until_first_line(rest)]
    first_lines = [line for lines in seen for line in lines]
    dialect = _dialect(options, first_lines)
    _check_first(dialect, first_lines)
    recipe = dialect.lines.recipe
    return Prepared(
        inputs=inputs,
        source=FirstLineSource(deque(seen), rest),
        dialect=dialect,
        endpoint=endpoint_of(options.server, dialect),
        recipe={**recipe, "simulated": True} if options.server.simulate else recipe,
    )


async def _until_first_line(batches: AsyncIterator[list[InputLine]]) -> AsyncIterator[list[InputLine]]:
    async for lines in batches:
        yield lines
        if lines:
            return


def _dialect(options: RunOptions, lines: list[InputLine]) -> Dialect:
    """Return the dialect that the user names, or that of the first line that is JSON."""
    request = options.request
    if options.input.format != "auto":
        return make_dialect(options.input.format, request)
    if not lines:
        return make_dialect("rows" if request.prompt is not None else "raw", request)
    problems: list[BadLine] = []
    for line in lines:
        try:
            if line.oversized is not None:
                raise too_long(line.oversized)
            return make_dialect(detect(line.text, request), request)
        except BadLine as error:
            problems.append(error)
    raise RunRefused(
        f"none of the first lines of the input is a job ({problems[0]}); check the file,"
        " or see --input-format (input_format)"
    )


def _check_first(dialect: Dialect, lines: list[InputLine]) -> None:
    """Refuse options that name fields which the first readable line does not have."""
    for line in lines:
        with suppress(BadLine):
            dialect.lines.check_first(line.text)
            break


def endpoint_of(server: ServerOptions, dialect: Dialect) -> Endpoint:
    """Return the server and the headers that the options name. Raises `RunRefused`."""
    if server.simulate:
        extra_headers(server.headers)  # a mistake in them is one, whatever answers
        return SIMULATOR
    return resolve_endpoint(dialect, server, None if server.no_auth else _read_key(server, dialect))


def _read_key(server: ServerOptions, dialect: Dialect) -> str | None:
    """Return the API key from its file or the environment. Raises `RunRefused`."""
    file = server.api_key_file
    if file is None:
        text = server.environ.get(dialect.key_variable)
        return clean_key(text, dialect.key_variable) if text else None
    try:
        return clean_key(decode_file(file.read_bytes()), str(file))
    except (OSError, ValueError) as error:
        raise RunRefused(f"cannot read the API key from {file}: {error}") from error
