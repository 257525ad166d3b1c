"""Which dialect a file has, and which options fit it."""

from __future__ import annotations

from typing import Any

import pytest

from headrace._exceptions import BadLine, RunRefused
from headrace.dialects import detect, make_dialect
from headrace.policy.options import RequestOptions

from .samples import dialect

ANTHROPIC = b'{"custom_id":"a","params":{}}'
OPENAI = b'{"custom_id":"a","method":"POST","url":"/v1","body":{}}'
RAW = b'{"model":"m","messages":[]}'
ROW = b'{"question":"x"}'
BEDROCK = b'{"recordId":"r","modelInput":{}}'


@pytest.mark.parametrize(
    ("line", "prompt", "expected"),
    [
        (ANTHROPIC, None, "anthropic"),
        (OPENAI, None, "openai"),
        (RAW, None, "raw"),
        (ROW, "{question}", "rows"),
        (RAW, "{messages}", "rows"),  # a data set may have a column of that name
        (b'{"custom_id":"a","question":"x"}', "{question}", "rows"),
    ],
)
def test_the_dialect_is_detected_from_the_first_line(line: bytes, prompt: str | None, expected: str) -> None:
    assert detect(line, RequestOptions(prompt=prompt)) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (ROW, "for rows of data, use --prompt"),
        (BEDROCK, "lines of Bedrock batch inference"),
        (b"{}", "use --prompt"),
    ],
)
def test_lines_of_an_unknown_format_are_refused_with_what_to_do(line: bytes, expected: str) -> None:
    with pytest.raises(RunRefused, match=expected):
        detect(line, RequestOptions())


def test_an_unreadable_first_line_is_left_to_the_next() -> None:
    with pytest.raises(BadLine):
        detect(b"[]", RequestOptions())


def test_a_whole_request_with_a_prompt_is_refused() -> None:
    options = RequestOptions(prompt="{x}", model="m")

    with pytest.raises(
        RunRefused, match=r"--prompt does not apply to anthropic lines: .* --input-format rows"
    ):
        make_dialect(detect(ANTHROPIC, options), options)


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("anthropic", {"prompt": "x"}, "--prompt does not apply to anthropic lines"),
        ("openai", {"system": "x"}, "--system does not apply to openai lines"),
        ("raw", {"prompt": "x"}, "--prompt does not apply to raw lines"),
        ("anthropic", {"id_field": "x"}, "--id-field does not apply to anthropic lines"),
        ("openai", {"id_field": "x"}, "--id-field does not apply to openai lines"),
        ("rows", {"prompt": None}, "rows need a prompt"),
        ("rows", {"prompt": ""}, "rows need a prompt"),
        ("rows", {"model": None}, "rows need a model: use --model"),
        ("raw", {"model": "m", "set": {"model": "n"}}, "model is set twice"),
        (
            "raw",
            {"max_tokens": 1, "set": {"max_tokens": 2}},
            "leave out --set max_tokens=... or --max-tokens",
        ),
        ("raw", {"set": {"max_tokens": "many"}}, "--set has a value of the wrong type"),
        ("raw", {"set": {"stream": "yes"}}, "--set has a value of the wrong type"),
        ("bedrock", {}, "lines of Bedrock batch inference"),
        ("toml", {}, "unknown input format 'toml': use one of anthropic, openai, raw, rows"),
    ],
)
def test_options_that_do_not_fit_are_refused(name: str, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(RunRefused, match=expected):
        dialect(name, **options)


def test_the_recipe_holds_what_shapes_answers_and_only_what_was_given() -> None:
    shaping = {"model": "m", "max_tokens": 5, "set": {"temperature": 0}}

    assert dialect("anthropic").lines.recipe == {"dialect": "anthropic"}
    assert dialect("anthropic", **shaping).lines.recipe == {"dialect": "anthropic", **shaping}
    assert dialect("rows", prompt="{q}", system="s").lines.recipe == {
        "dialect": "rows",
        "prompt": "{q}",
        "system": "s",
        "model": "m",
        "max_tokens": 1024,
    }


def test_streaming_keeping_and_ids_are_not_in_the_recipe() -> None:
    """They change how an answer is transferred or what its record says, not the answer."""
    plain = dialect("rows").lines.recipe

    assert (
        dialect("rows", stream=True, keep=("q",), id_field="q", set={"stream_options": {}}).lines.recipe
        == plain
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("anthropic", ("https://api.anthropic.com", "ANTHROPIC_API_KEY")),
        ("rows", ("https://api.anthropic.com", "ANTHROPIC_API_KEY")),
        ("openai", ("https://api.openai.com", "OPENAI_API_KEY")),
    ],
)
def test_each_dialect_has_its_server_and_key_variable(name: str, expected: tuple[str, str]) -> None:
    assert (dialect(name).default_base_url, dialect(name).key_variable) == expected


def test_the_key_stands_in_the_auth_header_only() -> None:
    content = {"content-type": "application/json"}
    version = {"anthropic-version": "2023-06-01"}

    assert dialect("raw").headers("k") == {**content, **version, "x-api-key": "k"}
    assert dialect("raw").headers(None) == {**content, **version}
    assert dialect("openai").headers("k") == {**content, "authorization": "Bearer k"}
    assert dialect("openai").headers(None) == content


@pytest.mark.parametrize("name", ["anthropic", "openai", "raw", "rows"])
def test_every_dialect_goes_by_its_name(name: str) -> None:
    assert dialect(name).lines.name == name
