"""What has to be known before the first request: the dialect, the server, that the first line is a job."""

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
from headrace.run.endpoint import Endpoint, clean_key, resolve_endpoint
from headrace.run.options import RunOptions

SIMULATOR = Endpoint(base_url="http://simulator.localhost", headers={}, secrets=())


@attrs.frozen(kw_only=True)
class Prepared:
    """The input with the dialect that its first line chose."""

    inputs: Inputs
    source: FirstLineSource
    dialect: Dialect
    endpoint: Endpoint
    recipe: Mapping[str, object]
    """All that shapes the answers beside the lines, whether they are simulated included."""


@attrs.define
class FirstLineSource(AsyncIterator[list[InputLine]]):
    """The lines of an input whose first pieces have been looked at. To be iterated once."""

    _seen: deque[list[InputLine]]
    _rest: AsyncIterator[list[InputLine]]

    def batches(self) -> AsyncIterator[list[InputLine]]:
        """Return the input from its beginning. No async generator: a reader may stop in the middle."""
        return self

    async def __anext__(self) -> list[InputLine]:
        return self._seen.popleft() if self._seen else await anext(self._rest)


async def prepare(options: RunOptions, inputs: Inputs) -> Prepared:
    """Look at the first line and settle what follows from it. Raises `RunRefused`."""
    rest = inputs.batches()
    seen = [lines async for lines in _first(rest)]
    first_lines = [line for lines in seen for line in lines]
    dialect = _dialect(options, first_lines)
    _check_first(dialect, first_lines)
    recipe = {**dialect.lines.recipe, "simulated": True} if options.simulate else dialect.lines.recipe
    return Prepared(
        inputs=inputs,
        source=FirstLineSource(deque(seen), rest),
        dialect=dialect,
        endpoint=endpoint_of(options, dialect),
        recipe=recipe,
    )


async def _first(pieces: AsyncIterator[list[InputLine]]) -> AsyncIterator[list[InputLine]]:
    async for lines in pieces:
        yield lines
        if lines:
            return


def _dialect(options: RunOptions, lines: list[InputLine]) -> Dialect:
    """The dialect that the user names, or that the first line which is JSON shows."""
    if options.input_format != "auto":
        return make_dialect(options.input_format, options.request)
    if not lines:
        return make_dialect("rows" if options.request.prompt is not None else "raw", options.request)
    problems: list[BadLine] = []
    for line in lines:
        try:
            if line.oversized is not None:
                raise too_long(line.oversized)
            return make_dialect(detect(line.text, options.request), options.request)
        except BadLine as error:
            problems.append(error)
    raise RunRefused(f"no line at the start of the input is a job ({problems[0]}); see --input-format")


def _check_first(dialect: Dialect, lines: list[InputLine]) -> None:
    """Refuse options that name fields which the first readable line has not got."""
    for line in lines:
        with suppress(BadLine):
            dialect.lines.check_first(line.text)
            break


def endpoint_of(options: RunOptions, dialect: Dialect) -> Endpoint:
    """Return the server and the headers that the options name. Raises `RunRefused`."""
    if options.simulate:
        return SIMULATOR
    environ = options.environ
    return resolve_endpoint(
        dialect,
        base_url=options.base_url or environ.get(dialect.key_variable.replace("_API_KEY", "_BASE_URL")),
        key=None if options.no_auth else _key(options, dialect),
        no_auth=options.no_auth,
        headers=options.headers,
        insecure_http=options.insecure_http,
    )


def _key(options: RunOptions, dialect: Dialect) -> str | None:
    if options.api_key_file is not None:
        try:
            text = options.api_key_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RunRefused(f"cannot read the key from {options.api_key_file}: {error}") from error
        return clean_key(text, str(options.api_key_file))
    text = options.environ.get(dialect.key_variable)
    return clean_key(text, dialect.key_variable) if text else None
