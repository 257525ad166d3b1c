"""Why a model stopped, and what that says about its answer: whole, cut off, filtered, or none (pure).

The words are an allow-list. Engines report their own failures as one more word (``error``, ``abort``, an
empty text) in an otherwise normal answer, and a list of those would never be complete. So a word that is not
known is a failure, unless the user accepts it (``--accept-finish-reason``).

Case and separators do not matter: ``MAX_TOKENS``, ``maxTokens`` and ``FinishReason.MAX_TOKENS`` are one word.
Neither do details after a colon: Google sends ``content_filter: PROHIBITED_CONTENT``.

Sources: https://platform.openai.com/docs/api-reference/chat/object,
https://docs.anthropic.com/en/api/handling-stop-reasons,
https://ai.google.dev/api/generate-content#FinishReason, Bedrock's Converse, and the servers named below.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import attrs

Meaning = Literal["whole", "cut", "filtered"]

_WORDS: Final[Mapping[Meaning, str]] = {
    "whole": """
        stop tool_calls tool_call function_call end_turn tool_use stop_sequence pause_turn compaction
        eos eos_token endoftext stop_token stop_str complete completed normal
        """,  # the second line: TGI, llama.cpp, AI21, Cohere, Baidu
    "cut": """
        length max_tokens model_length model_context_window_exceeded max_output_tokens max_completion_tokens
        max_length token_limit limit incomplete max_tool_calls
        """,
    "filtered": """
        content_filter refusal safety recitation language blocklist prohibited_content spii image_safety
        image_prohibited_content image_recitation model_armor guardrail_intervened content_filtered
        error_toxic sensitive
        """,
}


@attrs.frozen
class Ending:
    """How an answer ended. ``reason``: as the server names it, for its first choice."""

    reason: str | None
    truncated: bool = False
    filtered: bool = False


def plain(word: str) -> str:
    """Return a word without case, separators and the name of its type."""
    return re.sub(r"[^a-z0-9]", "", word.rpartition(".")[2].lower()).removeprefix("finishreason")


@attrs.frozen
class FinishReasons:
    """The words that a run accepts, and how an answer with each of them ended."""

    exact: Mapping[str, Ending]
    """As most servers write them, for the hot path."""
    _plain: Mapping[str, Ending]

    @classmethod
    def of(cls, accepted: Iterable[str] = ()) -> FinishReasons:
        """Return the known words, and those that the user accepts as the end of a whole answer."""
        exact = {word: Ending(word) for word in accepted}
        for meaning, words in _WORDS.items():
            for word in words.split():
                for written in (word, word.upper()):
                    exact[written] = Ending(written, meaning == "cut", meaning == "filtered")
        return cls(exact, {plain(word): ending for word, ending in exact.items()})

    def ending(self, word: object) -> Ending | None:
        """Return how an answer with this word, of any case, ended; None if the word is not accepted."""
        if not isinstance(word, str):
            return None
        if (ending := self.exact.get(word)) is not None:
            return ending
        known = self._plain.get(plain(word)) or self._plain.get(plain(word.partition(":")[0]))
        return known and attrs.evolve(known, reason=word)


KNOWN_REASONS: Final = FinishReasons.of()


def reason_of(choice: Mapping[str, Any]) -> object:
    """Return the finish reason of a choice, wherever its server puts it.

    SGLang: ``{"finish_reason": {"type": "stop"}}``. Google's own name is ``finishReason``, that of early
    vision models ``finish_details``.
    """
    for name in ("finish_reason", "finishReason", "finish_details"):
        match choice.get(name):
            case None:
                continue
            case {"type": reason}:
                return reason
            case reason:
                return reason
    return None
