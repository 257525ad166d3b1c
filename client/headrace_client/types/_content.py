"""The content blocks of a message, and their citations.

Source: the provider's reference of the Messages API. A block, citation or delta of an unknown type becomes an
``Unknown...`` with all its fields.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from headrace_client._models.base_model import BaseModel


class CitationCharLocation(BaseModel, kw_only=True):
    """A citation from a plain text. Indices count characters; the end is exclusive."""

    type: Literal["char_location"]
    cited_text: str
    document_index: int
    document_title: str | None = None
    start_char_index: int
    end_char_index: int
    file_id: str | None = None


class CitationPageLocation(BaseModel, kw_only=True):
    """A citation from a PDF. Pages count from 1; the end is exclusive."""

    type: Literal["page_location"]
    cited_text: str
    document_index: int
    document_title: str | None = None
    start_page_number: int
    end_page_number: int
    file_id: str | None = None


class CitationContentBlockLocation(BaseModel, kw_only=True):
    """A citation from a document of content blocks. The end is exclusive."""

    type: Literal["content_block_location"]
    cited_text: str
    document_index: int
    document_title: str | None = None
    start_block_index: int
    end_block_index: int
    file_id: str | None = None


class CitationsWebSearchResultLocation(BaseModel, kw_only=True):
    """A citation from a page that the web search found."""

    type: Literal["web_search_result_location"]
    cited_text: str
    encrypted_index: str
    title: str | None = None
    url: str


class CitationsSearchResultLocation(BaseModel, kw_only=True):
    """A citation from a search result that the caller passed in."""

    type: Literal["search_result_location"]
    cited_text: str
    search_result_index: int
    source: str
    start_block_index: int
    end_block_index: int
    title: str | None = None


class UnknownCitation(BaseModel, kw_only=True):
    """A citation of a type that this version does not know. Its fields are attributes."""

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
    """Text from the model."""

    type: Literal["text"]
    text: str
    citations: list[TextCitation] | None = None


class ThinkingBlock(BaseModel, kw_only=True):
    """The model's thinking before its answer. The signature proves its origin when it is sent back."""

    type: Literal["thinking"]
    thinking: str
    signature: str


class RedactedThinkingBlock(BaseModel, kw_only=True):
    """Thinking in encrypted form."""

    type: Literal["redacted_thinking"]
    data: str


class ToolUseBlock(BaseModel, kw_only=True):
    """The model's request to run a tool of the caller."""

    type: Literal["tool_use"]
    id: str
    name: str
    input: Any


class ServerToolUseBlock(BaseModel, kw_only=True):
    """The model's use of a tool of the provider."""

    type: Literal["server_tool_use"]
    id: str
    name: str
    input: Any


class WebSearchResultBlock(BaseModel, kw_only=True):
    """A page that the web search found."""

    type: Literal["web_search_result"]
    title: str
    url: str
    encrypted_content: str
    page_age: str | None = None


class WebSearchToolResultError(BaseModel, kw_only=True):
    """Why a web search failed."""

    type: Literal["web_search_tool_result_error"]
    error_code: str


class WebSearchToolResultBlock(BaseModel, kw_only=True):
    """The results of a web search."""

    type: Literal["web_search_tool_result"]
    tool_use_id: str
    content: WebSearchToolResultError | list[WebSearchResultBlock]


class UnknownBlock(BaseModel, kw_only=True):
    """A block of a type that this version does not know. Its fields are attributes."""

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
