"""The blocks that a message consists of, and what they quote.

Facts: the provider's reference of the Messages API. A block, citation or delta of a kind that is
not described here is an ``Unknown...`` with all its fields.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from headrace_client._models.base_model import BaseModel


class CitationCharLocation(BaseModel, kw_only=True):
    """A quotation from a plain text; indices count characters, the end is exclusive."""

    type: Literal["char_location"]
    cited_text: str
    document_index: int
    document_title: str | None = None
    start_char_index: int
    end_char_index: int
    file_id: str | None = None


class CitationPageLocation(BaseModel, kw_only=True):
    """A quotation from a PDF; pages count from 1, the end is exclusive."""

    type: Literal["page_location"]
    cited_text: str
    document_index: int
    document_title: str | None = None
    start_page_number: int
    end_page_number: int
    file_id: str | None = None


class CitationContentBlockLocation(BaseModel, kw_only=True):
    """A quotation from a document of content blocks; the end is exclusive."""

    type: Literal["content_block_location"]
    cited_text: str
    document_index: int
    document_title: str | None = None
    start_block_index: int
    end_block_index: int
    file_id: str | None = None


class CitationsWebSearchResultLocation(BaseModel, kw_only=True):
    """A quotation from a page that the web search found."""

    type: Literal["web_search_result_location"]
    cited_text: str
    encrypted_index: str
    title: str | None = None
    url: str


class CitationsSearchResultLocation(BaseModel, kw_only=True):
    """A quotation from a search result that the caller gave."""

    type: Literal["search_result_location"]
    cited_text: str
    search_result_index: int
    source: str
    start_block_index: int
    end_block_index: int
    title: str | None = None


class UnknownCitation(BaseModel, kw_only=True):
    """A citation of a kind that this version does not know; its fields are attributes."""

    type: str


TextCitation: TypeAlias = (
    CitationCharLocation
    | CitationPageLocation
    | CitationContentBlockLocation
    | CitationsWebSearchResultLocation
    | CitationsSearchResultLocation
    | UnknownCitation
)


class TextBlock(BaseModel, kw_only=True):
    """Text that the model wrote."""

    type: Literal["text"]
    text: str
    citations: list[TextCitation] | None = None


class ThinkingBlock(BaseModel, kw_only=True):
    """What the model thought before it answered; the signature proves it when it is sent back."""

    type: Literal["thinking"]
    thinking: str
    signature: str


class RedactedThinkingBlock(BaseModel, kw_only=True):
    """Thinking that is given in encrypted form only."""

    type: Literal["redacted_thinking"]
    data: str


class ToolUseBlock(BaseModel, kw_only=True):
    """The model asks the caller to run a tool."""

    type: Literal["tool_use"]
    id: str
    name: str
    input: Any


class ServerToolUseBlock(BaseModel, kw_only=True):
    """The model ran a tool of the provider."""

    type: Literal["server_tool_use"]
    id: str
    name: str
    input: Any


class WebSearchResultBlock(BaseModel, kw_only=True):
    """One page that the web search found."""

    type: Literal["web_search_result"]
    title: str
    url: str
    encrypted_content: str
    page_age: str | None = None


class WebSearchToolResultError(BaseModel, kw_only=True):
    """Why a web search gave no results."""

    type: Literal["web_search_tool_result_error"]
    error_code: str


class WebSearchToolResultBlock(BaseModel, kw_only=True):
    """What a web search gave."""

    type: Literal["web_search_tool_result"]
    tool_use_id: str
    content: WebSearchToolResultError | list[WebSearchResultBlock]


class UnknownBlock(BaseModel, kw_only=True):
    """A block of a kind that this version does not know; its fields are attributes."""

    type: str


ContentBlock: TypeAlias = (
    TextBlock
    | ThinkingBlock
    | RedactedThinkingBlock
    | ToolUseBlock
    | ServerToolUseBlock
    | WebSearchToolResultBlock
    | UnknownBlock
)
