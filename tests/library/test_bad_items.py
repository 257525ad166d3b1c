"""One bad item never takes the others down: what cannot be encoded is the error of its own job.

The values themselves, those that are encoded and those that are refused, are the table in
``tests/client/test_request_encoding.py``: library and client use the same encoder.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace import Job, JobFailed, Result, fan_out, fan_out_sync, open_runner
from headrace.job import Failure

from .conftest import Loop
from .jobs import params, received, simulator


def content(value: object) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 4, "messages": [{"role": "user", "content": value}]}


class Text(str):
    __slots__ = ()


class Row(Mapping[str, Any]):
    """A row that fails when it is read."""

    def __getitem__(self, key: str) -> Any:
        raise ConnectionError("the database is gone")

    def __iter__(self) -> Iterator[str]:
        return iter(("a",))

    def __len__(self) -> int:
        return 1


def circular() -> dict[str, Any]:
    value = params(1)
    value["metadata"] = value
    return value


def deep() -> dict[str, Any]:
    value: Any = "x"
    for _ in range(100_000):
        value = [value]
    return content(value)


def broken_generator() -> Iterator[object]:
    yield {"type": "text", "text": "a"}
    raise KeyError("caption")


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "an object": (lambda: params(1, top_k=object()), "top_k: object cannot be sent as JSON"),
    "half a surrogate pair": (lambda: content("b \ud83d"), "messages[0].content: the text contains half"),
    "undecodable text": (lambda: content("caf\udce9"), "messages[0].content: the text contains half"),
    "bytes": (
        lambda: content(b"abc"),
        "messages[0].content: bytes cannot be sent as JSON; encode it (base64)",
    ),
    "NaN": (lambda: params(1, temperature=math.nan), "temperature: NaN cannot be sent as JSON"),
    "infinity": (lambda: params(1, metadata={"a b": -math.inf}), "metadata['a b']: infinity cannot be sent"),
    "itself": (circular, "metadata: the dict contains itself"),
    "deep nesting": (deep, "nested too deeply"),
    "a key that is a tuple": (lambda: params(1, metadata={(1, 2): 3}), "metadata: a key of this object is a"),
    "equal keys": (lambda: params(1, metadata={1: "a", "1": "b"}), "metadata: two keys are '1' in JSON"),
    "a row that fails": (lambda: params(1, metadata=Row()), "ConnectionError: the database is gone"),
    "a generator that fails": (lambda: content(broken_generator()), "messages[0].content: the generator"),
    "an id that is a number": (lambda: Job(params(1), id=7), "the id must be a str, not int: use str(...)"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # callers err
    "an id of half a pair": (lambda: Job(params(1), id="\ud83d"), "the id: the text contains half"),
    "text in place of a job": (lambda: "jobs.jsonl", "must be an object"),
    "None in place of a job": (lambda: None, "must be an object"),
}


@pytest.mark.parametrize(("make", "problem"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("dialect", ["anthropic", "openai"])
def test_a_bad_item_is_the_error_of_its_own_job(dialect: Any, make: Callable[[], Any], problem: str) -> None:
    api = simulator()

    before, bad, after = fan_out_sync([params(0), make(), params(2)], simulate=api, dialect=dialect)

    assert before.error is after.error is None
    assert isinstance(bad.error, JobFailed)
    assert bad.error.kind == "bad_line"
    assert "job 1 " in str(bad.error)
    assert problem in str(bad.error)
    assert (bad.text, bad.message, bad.attempts, bad.position) == (None, None, 0, 1)
    assert received(api) == 2


def test_it_is_so_on_every_loop_with_every_call(loop: Loop) -> None:
    async def main() -> list[Any]:
        async with open_runner(simulate=simulator()) as runner:
            called = await runner.call(content(b"abc"))
            async with runner.map(content(value) for value in ("a", b"b", "c", math.nan)) as results:
                mapped = [result async for result in results]
            failed = runner.statistics().failed
        mapped.sort(key=lambda result: result.position)
        given = await fan_out([content(object()), params(0)], simulate=simulator())
        return [called, *mapped, *given, failed]

    *results, failed = loop(main)

    assert [result.error is None for result in results] == [False, True, False, True, False, False, True]
    assert failed == 3


def test_text_of_subclasses_and_numbers_of_numpy_are_what_they_are() -> None:
    numpy = pytest.importorskip("numpy")
    jobs = [content(Text("a")), params(1, temperature=numpy.float32(0.5)), params(2, top_k=numpy.int64(5))]

    assert [result.error for result in fan_out_sync(jobs, simulate=simulator())] == [None] * 3


def test_a_bad_item_has_an_error_record_and_is_sent_once_it_is_corrected(loop: Loop, tmp_path: Path) -> None:
    output, api = tmp_path / "out.jsonl", simulator()
    errors = tmp_path / "out.errors.jsonl"

    async def main(*jobs: Job[None]) -> list[Any]:
        return await fan_out(jobs, simulate=api, output=output)

    first, second = loop(main, Job(content(b"x"), id="a"), Job(content(b"y")))
    records = [msgspec.json.decode(line) for line in errors.read_bytes().splitlines()]
    (third,) = loop(main, Job(content("x"), id="a"))

    assert first.error is not None
    assert second.error is not None
    assert [record["custom_id"] for record in records] == ["a", None]
    assert "messages[0].content: bytes" in str(records[0])
    assert third.error is None
    assert not errors.read_bytes()


def test_what_ends_fan_out_has_the_results_so_far(loop: Loop) -> None:
    def jobs() -> Iterator[dict[str, Any]]:
        yield from (params(number) for number in range(20))
        raise LookupError("no more rows")

    async def main() -> None:
        await fan_out(jobs(), simulate=simulator())

    with pytest.raises(LookupError, match="no more rows") as caught:
        loop(main)
    results: list[Result[None]] = vars(caught.value)["results"]
    assert [result.position for result in results] == list(range(20))
    assert all(result.error is None for result in results)
    assert "20 results" in caught.value.__notes__[0]


# -- result.text


BODIES = [
    (b'{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}', "ab"),
    (b'{"choices":[{"message":{"content":"a"}}]}', "a"),
    (b'{"choices":[{"message":{"content":[{"type":"text","text":"a"},{"type":"image_url"}]}}]}', "a"),
    (b'{"choices":[{"text":"a"},{"text":"b"}]}', "a"),
    (b'{"choices":[{"message":{"content":null},"text":"a"}]}', "a"),
    (b'{"choices":[{"message":null,"text":"a"}]}', "a"),
    (b'{"choices":[{"message":"a"}]}', "a"),
    (b'{"choices":[{"text":5}]}', ""),
    (b'{"choices":[{"message":{"content":["odd",{"type":"text","text":"a"}]}}]}', "a"),
    (b'{"choices":[{"message":{"content":{"type":"text","text":"a"}}}]}', "a"),
    (b'{"choices":[{"message":{"content":null,"refusal":"no"}}]}', ""),
    (b'{"choices":[{"message":{"content":null,"tool_calls":[{"id":"c"}]}}]}', ""),
    (b'{"choices":[{"message":{"content":5}}]}', ""),
    (b'{"choices":[{"message":null}]}', ""),
    (b'{"choices":[null]}', ""),
    (b'{"choices":null,"content":"a"}', "a"),
    (b'{"choices":[]}', ""),
    (b'{"choices":{"0":{}}}', ""),
    (b'{"content":[{"type":"tool_use","id":"t","name":"n","input":{}}]}', ""),
    (b'{"content":[{"type":"text","text":null},{"type":null,"text":"x"},{"type":"text","text":"a"}]}', "a"),
    (b'{"content":[{"type":"text","text":5}]}', ""),
    (b'{"content":"a"}', "a"),
    (b'{"content":null}', ""),
    (b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1]}]}', ""),
    (b'{"error":{"message":"no"}}', ""),
    (b'{"output":[{"type":"message","content":[{"type":"output_text","text":"a"}]}]}', ""),
    (b'{"choices":[{"message":{"content":"a"},"logprobs":-Infinity}],"x":NaN}', "a"),
    (b"[]", ""),
    (b"null", ""),
    (b"5", ""),
    (b"<html>", ""),
    (b"\xff\xfe", ""),
    (b"", ""),
    (b"[" * 100_000, ""),
]


@pytest.mark.parametrize(("body", "text"), BODIES)
def test_the_text_of_an_answer(body: bytes, text: str) -> None:
    assert Result(job=Job({}), position=0, body=body).text == text


def test_an_error_has_no_text() -> None:
    failed = JobFailed(Failure(kind="rejected", message="no"))

    assert Result(job=Job({}), position=0, error=failed).text is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "a", "text"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["content", "choices", "message", "type", "text"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(VALUES)
def test_the_text_of_any_json_raises_nothing(value: object) -> None:
    result = Result(job=Job({}), position=0, body=msgspec.json.encode(value))

    assert isinstance(result.text, str)
