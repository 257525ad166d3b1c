"""What follows from the options that shape every request: the keys that they set in its body."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from headrace._exceptions import BadLine, RunRefused
from headrace.policy.options import RequestOptions
from headrace_client.lowlevel import EncodingError, encode_json

from ._lines import require_all_unique, unreadable


class _Checked(msgspec.Struct):
    model: str = ""
    max_tokens: int = 1
    max_completion_tokens: int = 1
    max_output_tokens: int = 1
    stream: bool = False


def read_settings(texts: Iterable[str]) -> dict[str, object]:
    """Read what ``--set`` gives: texts like ``temperature=0``, each a key and its value as JSON.

    Raises `RunRefused` for another text, and for a key that is given twice, also inside a value.
    """
    settings: dict[str, object] = {}
    for text in texts:
        key, _, value = text.partition("=")
        if not key or not value:
            missing = "value" if key else "key"
            raise RunRefused(
                f"--set {text[:60]}: the {missing} is missing; write KEY=JSON, such as temperature=0"
            )
        if key in settings:
            raise RunRefused(f"--set {key[:60]} is given twice: leave out one of them")
        settings[key] = _json_value(text, value)
    return settings


def _json_value(text: str, value: str) -> object:
    try:
        decoded = msgspec.json.decode(value)
        require_all_unique(value)
    except BadLine as error:
        raise RunRefused(f"--set {text[:60]}: {error}") from error
    except (ValueError, RecursionError) as error:
        problem = str(unreadable(error, value.encode(errors="replace"))).replace("the line", "the value")
        raise RunRefused(
            f"--set {text[:60]}: write KEY=JSON, such as temperature=0 or stop='[\"END\"]' ({problem})"
        ) from error
    return decoded


def _settings(options: RequestOptions) -> dict[str, object]:
    """Return the settings as JSON has them: a program may set what only `encode` knows."""
    try:
        return msgspec.json.decode(encode_json(options.set))
    except EncodingError as error:
        raise RunRefused(f"--set (set): {error}") from error


def overrides(options: RequestOptions) -> dict[str, object]:
    """Return the top-level keys of the body that the options set, whatever the line says.

    Raises `RunRefused` for a key that is set twice, or to a value that no server would accept.
    """
    named = {"model": options.model, "max_tokens": options.max_tokens, "stream": options.stream or None}
    own = {key: value for key, value in named.items() if value is not None}
    settings = _settings(options)
    for key in own.keys() & settings.keys():
        raise RunRefused(f"{key} is set twice: leave out --set {key}=... or --{key.replace('_', '-')}")
    merged = {**own, **settings}
    try:
        msgspec.convert(merged, _Checked)
    except msgspec.ValidationError as error:
        raise RunRefused(f"--set has a value of the wrong type: {error}") from error
    return merged


def refuse_unused(dialect: str, options: RequestOptions, *unused: str) -> None:
    """Raise `RunRefused` if one of the ``unused`` options was given: they do not apply to the dialect."""
    for name in unused:
        if getattr(options, name) is not None:
            option = "--" + name.replace("_", "-")
            raise RunRefused(f"{option} does not apply to {dialect} lines: {_REASONS[name]}")


_REASONS = {
    "prompt": "each line is already a whole request; leave it out, or use --input-format rows",
    "system": "each line has its own; use --set to override a key of every body",
    "id_field": "each line has its custom_id; leave it out",
}


def recipe(dialect: str, options: RequestOptions) -> Mapping[str, object]:
    """Return the recipe of a run: see `LineFormat.recipe`."""
    shaping = {
        "dialect": dialect,
        "prompt": options.prompt,
        "system": options.system,
        "model": options.model,
        "max_tokens": options.max_tokens,
        "set": {key: value for key, value in _settings(options).items() if key not in _TRANSPORT_KEYS},
    }
    return {key: value for key, value in shaping.items() if value not in (None, {})}


_TRANSPORT_KEYS = frozenset({"stream", "stream_options"})


def id_fields(options: RequestOptions) -> tuple[str, ...]:
    """Return the field that ``--id-field`` names, for `check_fields`: one or none."""
    return () if options.id_field is None else (options.id_field,)
