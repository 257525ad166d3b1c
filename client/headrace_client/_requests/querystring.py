"""Query strings from nested parameters, in the formats that APIs use.

    array_format    {"a": [1, 2]}         nested_format    {"a": {"b": 1}}
    comma           a=1,2                 brackets         a[b]=1
    repeat          a=1&a=2               dots             a.b=1
    brackets        a[]=1&a[]=2

Booleans are written in lower case; None, `omit` and `not_given` are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast
from urllib.parse import urlencode

import attrs

from .options import is_given

ARRAY_FORMATS = ("comma", "repeat", "indices", "brackets")


@attrs.frozen(kw_only=True)
class Querystring:
    """A format of query strings."""

    array_format: str = "repeat"
    nested_format: str = "brackets"

    def stringify(self, params: Mapping[str, object]) -> str:
        """Return the encoded query string. Raises `NotImplementedError` for an unknown array format."""
        return urlencode(self.pairs(params))

    def pairs(self, params: Mapping[str, object]) -> list[tuple[str, str]]:
        """Return the names and values of the query string, not yet encoded.

        Raises `NotImplementedError` for an unknown array format.
        """
        return [pair for name, value in params.items() for pair in self.flatten(name, value)]

    def flatten(self, name: str, value: object) -> Iterator[tuple[str, str]]:
        """Yield the names and values for one parameter. Raises `NotImplementedError` as `pairs` does."""
        if isinstance(value, Mapping):
            for inner, item in cast("Mapping[str, object]", value).items():
                yield from self.flatten(self._nested(name, inner), item)
        elif isinstance(value, list | tuple):
            yield from self._array(name, cast("Iterable[object]", value))
        elif value is not None and is_given(value):
            yield name, _text(value)

    def _nested(self, name: str, inner: str) -> str:
        return f"{name}.{inner}" if self.nested_format == "dots" else f"{name}[{inner}]"

    def _array(self, name: str, items: Iterable[object]) -> Iterator[tuple[str, str]]:
        match self.array_format:
            case "comma":
                yield name, ",".join(_text(item) for item in items if item is not None)
            case "repeat":
                for item in items:
                    yield from self.flatten(name, item)
            case "brackets":
                for item in items:
                    yield from self.flatten(f"{name}[]", item)
            case "indices":
                raise NotImplementedError("The array indices format is not supported yet")
            case unknown:
                choices = ", ".join(ARRAY_FORMATS)
                raise NotImplementedError(f"Unknown array_format value: {unknown}, choose from {choices}")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
