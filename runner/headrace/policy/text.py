"""Text at the edges: from command lines, files and the environment. Pure.

Python decodes arguments, file names and variables with ``surrogateescape``: a byte that is not valid text
becomes half a surrogate pair (U+DC80 to U+DCFF). The operating system takes such text back, but no request,
record or terminal does.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from typing import Final, cast

from headrace._exceptions import RunRefused

from .checks import Named

_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL: Final = re.compile(r"[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
"""All of Unicode's control characters except tab and line feed."""


def recovered(text: str) -> str:
    """Return text as UTF-8, if its undecodable bytes are that, else unchanged.

    In an ASCII locale Python decodes no other byte, although most text is UTF-8 there, too.
    """
    try:
        return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode()
    except UnicodeError:
        return text


def trimmed(text: str) -> str:
    """Return a text without the white space, and the byte order mark, that files put around it."""
    return recovered(text).strip().removeprefix("\ufeff").strip()


def text_problem(text: str) -> str | None:
    """Say why a text cannot be sent or written, without quoting it, and what to do; None if it can."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        found = ord(text[error.start])
        if 0xDC80 <= found <= 0xDCFF:
            what = f"byte 0x{found - 0xDC00:02x} at position {error.start} is not UTF-8"
        else:
            what = f"the character at position {error.start} is half a surrogate pair"
        return (
            f"{what}; the terminal or script that it comes from may use another encoding: write it in UTF-8"
        )
    return None


def readable(text: str) -> str:
    r"""Return text for people and JSON: undecodable bytes as ``\xe9``, halves of pairs as ``\ud83d``."""
    if text.isascii():
        return text
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        data = text.encode("utf-8", "backslashreplace")
    return data.decode("utf-8", "backslashreplace")


def printed(text: str) -> str:
    r"""Return text for a terminal: as `readable`, and control characters but line breaks as ``\x1b``."""
    return _CONTROL.sub(_escaped, readable(text))


def one_line(text: str) -> str:
    r"""Return a file's name for a terminal: as `printed`, and line breaks as ``\n``."""
    return printed(text).translate({10: "\\n", 9: "\\t"})


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def decode_file(data: bytes) -> str:
    """Return the text of a file: UTF-8, or what its byte order mark says.

    Raises `ValueError` for anything else; its text says what to do.
    """
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"it is not {encoding.removesuffix('-sig').upper()}: byte 0x{data[error.start]:02x} at position"
            f" {error.start}; save it as UTF-8"
        ) from None
    if "\0" in text:
        raise ValueError(
            "it contains NUL characters, as UTF-16 without a byte order mark does; save it as UTF-8"
        )
    return text


def as_texts(values: Iterable[str]) -> tuple[str, ...]:
    """Return texts as a tuple; a single one stands for itself, not for its characters."""
    return (values,) if isinstance(values, str) else tuple(values)


def check_text(_instance: object, attribute: Named, value: object) -> None:
    """Raise `RunRefused` for text, or a tuple of texts, that no request can contain. It shows none of it."""
    texts = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
    for text in texts:
        if not isinstance(text, str | None):
            raise RunRefused(f"{attribute.alias}: must be a string, not {type(text).__name__}")
        if text and (problem := text_problem(text)):
            raise RunRefused(f"{attribute.alias}: {problem}")
