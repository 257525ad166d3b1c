"""Lines of any data set: each row fills a prompt template, which becomes one user message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import msgspec

from headrace._exceptions import RunRefused
from headrace.job import JobRequest
from headrace.policy.options import RequestOptions

from ._dialect import LineFormat
from ._lines import check_fields, decode_object, identify_by, keep_fields, require_unique
from ._messages_api import read_request
from ._options import id_fields, overrides, recipe
from ._template import Template, compile_template

_DEFAULT_MAX_TOKENS: Final = 1024
"""Without ``--max-tokens``: the API requires a number."""
_SAME_FOR_ALL: Final = "the prompt contains no {field} of the row: every row gets the same request"


@attrs.frozen(kw_only=True)
class _Prompt:
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
        """Return the system prompt, with the marker that ends a cached prefix under ``--cache-prefix``."""
        if not self.cache_prefix:
            return system
        return [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}]


def line_format(options: RequestOptions) -> LineFormat:
    """Return how to read the rows. Raises `RunRefused` for options that are missing."""
    options = _completed(options)
    prompt = compile_template(options.prompt or "")
    system = None if options.system is None else compile_template(options.system)
    if options.cache_prefix and (system is None or system.fields):
        raise RunRefused("--cache-prefix needs a --system text that is the same for every row")
    filling = _Prompt(
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
        read=lambda line: _read(line, options, filling),
        notices=() if prompt.fields or (system and system.fields) else (_SAME_FOR_ALL,),
    )


def _completed(options: RequestOptions) -> RequestOptions:
    """Return the options with ``max_tokens`` set. Raises `RunRefused` without a prompt or a model."""
    if not options.prompt:
        raise RunRefused("rows need a prompt: use --prompt '... {field} ...' or --prompt-file FILE")
    if options.model is None and "model" not in options.set:
        raise RunRefused("rows need a model: use --model NAME")
    if options.max_tokens is None and "max_tokens" not in options.set:
        return attrs.evolve(options, max_tokens=_DEFAULT_MAX_TOKENS)
    return options


def _read(line: bytes, options: RequestOptions, filling: _Prompt) -> JobRequest:
    row = decode_object(line)
    require_unique(line, row)
    body = filling.body(row)
    return read_request(body, msgspec.json.encode(body), {}, kept=keep_fields(row, options.keep))
