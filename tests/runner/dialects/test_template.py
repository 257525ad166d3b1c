"""Prompt templates: what counts as a name, what stays, what a missing field says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace._exceptions import BadLine
from headrace.dialects._template import MISSING, compile_template, look_up

ROW: dict[str, object] = {
    "question": "2 + 2?",
    "meta": {"source": "exam", "tags": ["a", "b"], "no": None},
    "a.b": "flat",
    "a": {"b": "nested", "c": "deep"},
    "n": 3,
    "x": 1.5,
    "yes": True,
    "größe": "L",
    "col-1": "dashed",
    "brace": "{question}",
    "self": "me",
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("", ""),
        ("Q: {question}\nA:", "Q: 2 + 2?\nA:"),
        ("{meta.source}/{a.c}", "exam/deep"),
        ("{a.b}", "flat"),  # the row's own key with the dot comes first
        ("{meta.tags} {meta.no} {n} {x} {yes}", '["a","b"] null 3 1.5 true'),
        ("{meta}", '{"source":"exam","tags":["a","b"],"no":null}'),
        ("{größe} {col-1} {self}", "L dashed me"),
        ("{brace}", "{question}"),  # data is never scanned again
        ("{{question}}", "{question}"),
        ("{{{question}}}", "{2 + 2?}"),
        ("{{{{question}}}}", "{{question}}"),
        ("}}", "}"),
        ("{{ }}", "{ }"),
        ('{"label": 1}', '{"label": 1}'),
        ('{"a": {"b": 1}}', '{"a": {"b": 1}}'),
        ('{{"a": {"b": 1}}}', '{"a": {"b": 1}}'),
        ('{"a": {"b": {n}}}', '{"a": {"b": 3}}'),
        ('{{"a": {{"b": {n}}}}}', '{"a": {"b": 3}}'),
        ('{"a": {{b}}}', '{"a": {b}}'),
        ("{} { question } {question!r} {question:>5} {a..b} {.a} {a.}", None),
        ("{question.__class__", "{question.__class__"),
        ("[{}, {}]", "[{}, {}]"),
        ("}{", "}{"),
        ("{", "{"),
        ("}", "}"),
    ],
)
def test_renders(template: str, expected: str | None) -> None:
    assert compile_template(template).render(ROW) == (template if expected is None else expected)


def test_fields_are_named_once_in_order_of_appearance() -> None:
    assert compile_template("{b} {a.c} {b} {{no}} {not a name}").fields == ("b", "a.c")


@pytest.mark.parametrize(
    "name",
    ["answer", "meta.author", "question.upper", "question.2", "n.2", "meta.tags.0", "question.__class__"],
)
def test_a_missing_field_is_named_with_the_fields_of_the_row(name: str) -> None:
    """Only keys of objects count: neither attributes nor indexes of an array."""
    with pytest.raises(BadLine) as caught:
        compile_template("{" + name + "}").render(ROW)

    assert str(caught.value).startswith(
        f"the line has no field '{name}' for the prompt; its fields: question, meta, a.b, a, n"
    )


def test_the_list_of_fields_is_bounded_and_has_no_control_characters() -> None:
    row: dict[str, object] = {f"\x1b[31mfield{number}": 1 for number in range(1000)}

    with pytest.raises(BadLine) as caught:
        compile_template("{x}").render(row)

    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


def test_null_is_a_value_and_absence_is_not() -> None:
    assert look_up(ROW, "meta.no") is None
    assert look_up(ROW, "meta.nothing") is MISSING


@given(st.text('{}ab".: ', max_size=40))
@settings(deadline=None, derandomize=True, max_examples=300)
def test_text_without_doubled_braces_or_names_stays_as_it_is(text: str) -> None:
    template = compile_template(text)

    if "{{" not in text and "}}" not in text and not template.fields:
        assert template.render({}) == text


@given(st.text("{}abc\u2028 ", max_size=40))
@settings(deadline=None, derandomize=True, max_examples=300)
def test_a_text_with_every_brace_doubled_renders_as_itself(text: str) -> None:
    assert compile_template(text.replace("{", "{{").replace("}", "}}")).render({}) == text
