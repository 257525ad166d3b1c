"""Lines of any data set: each row fills a prompt template, one user message of the Messages API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import msgspec

from headrace._exceptions import RunRefused
from headrace.dialects._template import Template, compile_template
from headrace.job import JobRequest

from ._dialect import LineFormat
from ._lines import check_fields, decode_object, identify_by, keep_fields, require_all_unique
from ._messages_api import read_request
from ._options import RequestOptions, id_fields, overrides, recipe

DEFAULT_MAX_TOKENS: Final = 1024
"""What a row's answer may cost where ``--max-tokens`` says nothing; the API asks for a number."""


@attrs.frozen(kw_only=True)
class _Prompting:
    """How a row becomes a body."""

    prompt: Template
    system: Template | None
    body_keys: Mapping[str, object]
    cache_prefix: bool

    def body(self, row: Mapping[str, object]) -> dict[str, object]:
        message = {"role": "user", "content": self.prompt.render(row)}
        system = {} if self.system is None else {"system": self._marked(self.system.render(row))}
        return {**system, "messages": [message], **self.body_keys}

    def _marked(self, system: str) -> object:
        """The system prompt; with the mark that ends a cached prefix, where one is asked for."""
        if not self.cache_prefix:
            return system
        return [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}]


def line_format(options: RequestOptions) -> LineFormat:
    """Return how to read the rows. Raises `RunRefused` for options that are missing."""
    options = _completed(options)
    prompt = compile_template(options.prompt or "")
    system = None if options.system is None else compile_template(options.system)
    if options.cache_prefix and (system is None or system.fields):
        raise RunRefused("--cache-prefix needs a --system that is the same for every row")
    prompting = _Prompting(
        prompt=prompt, system=system, body_keys=overrides(options), cache_prefix=options.cache_prefix
    )
    named = (
        ("--prompt", prompt.fields),
        ("--system", system.fields if system else ()),
        ("--id-field", id_fields(options)),
        ("--keep", options.keep),
    )
    return LineFormat(
        name="rows",
        recipe=recipe("rows", options),
        identify=lambda line: identify_by(line, options.id_field),
        check_first=lambda line: check_fields(line, *named),
        read=lambda line: _read(line, options, prompting),
    )


def _completed(options: RequestOptions) -> RequestOptions:
    """Return the options with the default ``max_tokens``. Raises `RunRefused` where there is none."""
    if not options.prompt:
        raise RunRefused("rows need a prompt: give --prompt '... {field} ...' or --prompt-file FILE")
    if options.model is None and "model" not in options.set:
        raise RunRefused("rows need a model: give --model NAME")
    if options.max_tokens is None and "max_tokens" not in options.set:
        return attrs.evolve(options, max_tokens=DEFAULT_MAX_TOKENS)
    return options


def _read(line: bytes, options: RequestOptions, prompting: _Prompting) -> JobRequest:
    row = decode_object(line)
    require_all_unique(line)
    body = prompting.body(row)
    return read_request(
        body,
        msgspec.json.encode(body),
        {},
        kept=keep_fields(row, options.keep),
    )
