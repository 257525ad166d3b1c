"""P12. Text at the edges: arguments, files, their names and variables of any bytes, any kind of terminal.

What cannot be read gets exit 2 and a word that says what to do; never a traceback. Python decodes a byte that
is not valid text to half a surrogate pair: ``\\udce9`` stands for the byte 0xe9.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from headrace import RunRefused, open_runner, run_file
from headrace.cli import main
from headrace.dialects import make_dialect
from headrace.policy.options import RequestOptions, RunOptions, ServerOptions
from headrace.policy.text import decode_file, readable, recovered, text_problem, trimmed
from headrace.run.endpoint import clean_key, resolve_endpoint

BAD = "caf\udce9 {q}"
ROWS = b'{"q":"x"}\n{"q":"y"}\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_bytes(ROWS)
    return tmp_path


def run(
    *arguments: str, model: str | None = "m", prompt: str | None = "{q}", rows: str = "rows.jsonl"
) -> Result:
    command = ["run", rows, "--simulate", "--progress", "none"]
    command += [] if model is None else ["--model", model]
    command += [] if prompt is None else ["--prompt", prompt]
    return CliRunner().invoke(main, [*command, *arguments])


def refused(result: Result, *words: str) -> None:
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr
    assert not list(Path().glob("*.results.jsonl*"))


# -- arguments


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--system", BAD),
        ("--set", f'a="{BAD}"'),
        ("--set", f"{BAD}=1"),
        ("--keep", BAD),
        ("--id-field", BAD),
        ("-H", f"X: {BAD}"),
        ("-H", f"{BAD}: x"),
        ("--base-url", f"http://{BAD}"),
        ("--max-failures", BAD),
        ("--max-tokens", BAD),
        ("--max-cost", BAD),
        ("-c", BAD),
        ("--progress", BAD),
        (f"--{BAD}", "x"),
        ("--prompt", BAD),
        ("--model", BAD),
        ("--model", "half \ud83d"),
    ],
    ids=ascii,
)
def test_an_argument_that_is_not_utf8_is_refused(option: str, value: str) -> None:
    prompt, model = (None if option == name else "m" for name in ("--prompt", "--model"))
    refused(run(option, value, prompt=prompt, model=model))


def test_the_message_names_the_option_and_the_byte() -> None:
    refused(run(prompt=BAD), "'--prompt'", "byte 0xe9 at position 3 is not UTF-8", "write it in UTF-8")


@pytest.mark.parametrize(
    "command",
    [
        ["plan", "rows.jsonl", "--prompt", BAD, "--model", "m"],
        ["verify", "rows.jsonl", "--id-field", BAD, "-o", "out.jsonl"],
        ["verify", f"{BAD}.jsonl", "-o", "out.jsonl"],
        ["simulate", "--host", BAD],
        ["simulate", "--require-key", BAD],
        ["simulate", "--model", BAD],
        ["simulate", "--seed", BAD],
        ["simulate", "--error-rate", f"{BAD}=0.1"],
        ["simulate", "--error-rate", f"529={BAD}"],
        ["simulate", "--output-tokens", BAD],
        ["simulate", "--log", f"no/{BAD}"],
        ["demo", f"--{BAD}"],
        [BAD],
    ],
    ids=ascii,
)
def test_every_command_refuses_it(command: list[str]) -> None:
    refused(CliRunner().invoke(main, command))


def test_a_byte_order_mark_is_not_part_of_an_argument() -> None:
    """A shell takes it over from a file: --model "$(cat model.txt)"."""
    assert run("--dry-run", model="\ufeffm", prompt="\ufeffHi {q}").exit_code == 0
    assert "\ufeff" not in run("--dry-run", model="\ufeffm", prompt="\ufeffHi {q}").stdout


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"prompt": BAD, "model": "m"}, "prompt: byte 0xe9 at position 3"),
        ({"prompt": "{q}", "model": "\ud83d"}, "model: the character at position 0 is half a surrogate pair"),
        ({"prompt": "{q}", "model": "m", "system": BAD}, "system: byte 0xe9"),
        ({"prompt": "{q}", "model": "m", "keep": ("q", BAD)}, "keep: byte 0xe9"),
        (
            {"prompt": "{q}", "model": "m", "set": {"a": [BAD]}},
            "a[0]: the text contains half a surrogate pair",
        ),
        ({"prompt": "{q}", "model": "m", "set": {"a": float("nan")}}, "a: NaN cannot be sent as JSON"),
        ({"prompt": "{q}", "model": "m", "headers": (f"X: {BAD}",)}, "headers: byte 0xe9"),
        ({"prompt": "{q}", "model": "m", "headers": ("X-A: 1", "x-a: 2")}, "-H 'x-a' is given twice"),
        ({"prompt": "{q}", "model": "m", "headers": ("X: a\nb",)}, "not allowed in a header"),
        ({"prompt": "{q}", "model": "m", "output": "a\0b"}, "contains a NUL character"),
    ],
    ids=str,
)
def test_run_file_refuses_the_same(options: Any, problem: str) -> None:
    with pytest.raises(RunRefused) as caught:
        anyio.run(lambda: run_file("rows.jsonl", simulate=True, **options))
    assert problem in str(caught.value)


def test_open_runner_refuses_the_same() -> None:
    with pytest.raises(RunRefused, match="model: byte 0xe9"):
        open_runner(model="\udce9", simulate=True)
    with pytest.raises(RunRefused, match=r"(?i)-H 'x-a' is given twice"):
        open_runner(headers={"X-A": "1", "x-a": "2"}, no_auth=True)


@pytest.mark.parametrize("options", [{"model": 5}, {"accept_finish_reasons": [5]}, {"base_url": b"http://x"}])
def test_open_runner_refuses_what_is_no_text(options: Any) -> None:
    with pytest.raises(RunRefused, match=r"must be a string, not (int|bytes)"):
        open_runner(no_auth=True, **options)


# -- files


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("option", ["--prompt-file", "--system-file"])
def test_a_file_of_another_encoding_is_read_if_it_says_so(encoding: str, option: str) -> None:
    Path("text").write_bytes("Ünï {q}".encode(encoding))

    result = run("--dry-run", option, "text", prompt=None if option == "--prompt-file" else "{q}")

    assert result.exit_code == 0
    assert "Ünï x" in result.stdout
    assert "\ufeff" not in result.stdout


@pytest.mark.parametrize("option", ["--prompt-file", "--system-file", "--prices"])
@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"caf\xe9 {q}", "not UTF-8: byte 0xe9 at position 3; save it as UTF-8"),
        ("Hi {q}".encode("utf-16-le"), "NUL characters, as UTF-16"),
        (b"\xff\xfeH", "not UTF-16"),
        (b"Hi \0 {q}", "NUL characters"),
    ],
)
def test_any_other_file_is_refused(option: str, data: bytes, problem: str) -> None:
    Path("text").write_bytes(data)

    refused(run(option, "text", prompt=None if option == "--prompt-file" else "{q}"), option, "text", problem)


def test_a_price_list_may_begin_with_a_byte_order_mark() -> None:
    prices = 'as_of = "2026-01-01"\n[models."m"]\ninput = 1\noutput = 2\n'
    Path("prices.toml").write_text(prices, encoding="utf-8-sig")

    assert run("--prices", "prices.toml", "--max-cost", "1").exit_code == 0


def test_an_input_in_utf16_is_refused() -> None:
    Path("rows.jsonl").write_bytes(ROWS.decode().encode("utf-16"))

    refused(run(), "as UTF-16 does: save the file as UTF-8")


ODD = "r-\udce9\x1b[31m"


def test_file_names_of_any_bytes_work_and_are_shown_as_escapes(folder: Path) -> None:
    for number in (1, 2):
        (folder / f"{ODD}{number}.jsonl").write_bytes(b'{"q":"%d"}\n' % number)
    files = ["-o", f"o-{ODD}.jsonl", "--summary-json", f"s-{ODD}.json", "--ordered"]

    result = run(f"{ODD}2.jsonl", *files, rows=f"{ODD}1.jsonl")

    assert result.exit_code == 0
    assert "o-r-\\xe9" in result.stdout
    summary = msgspec.json.decode((folder / f"s-{ODD}.json").read_bytes())
    assert summary["output"].startswith("o-r-\\xe9")
    records = [msgspec.json.decode(line) for line in (folder / f"o-{ODD}.jsonl").read_bytes().splitlines()]
    assert {record["headrace"]["source"] for record in records} == {
        readable(f"{ODD}{number}.jsonl") for number in (1, 2)
    }
    again = run(f"{ODD}2.jsonl", "-o", f"o-{ODD}.jsonl", rows=f"{ODD}1.jsonl")
    assert (again.exit_code, "(2 from earlier runs)" in again.stdout) == (0, True)


@pytest.mark.parametrize(
    "command",
    [
        ["run", f"{ODD}.jsonl", "--prompt", "{q}", "--model", "m", "--simulate"],
        ["plan", f"{ODD}.jsonl", "--prompt", "{q}", "--model", "m"],
        ["verify", f"{ODD}.jsonl", "-o", f"{ODD}.results.jsonl"],
        ["demo", "--directory", ODD],
    ],
    ids=ascii,
)
def test_every_command_takes_such_names(folder: Path, command: list[str]) -> None:
    (folder / f"{ODD}.jsonl").write_bytes(ROWS)
    if command[0] == "verify":
        run("-o", f"{ODD}.results.jsonl", rows=f"{ODD}.jsonl")

    result = CliRunner().invoke(main, command)

    assert result.exit_code == 0
    assert result.output.encode()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([f"no-{ODD}.jsonl"], "cannot read the input no-r-\\xe9"),
        (["rows.jsonl", "-o", f"no-{ODD}/out.jsonl"], "does not exist"),
        (["rows.jsonl", "--summary-json", f"no-{ODD}/s.json"], "does not exist"),
        (["rows.jsonl", "-o", "a\0b.jsonl"], "NUL character"),
        (["rows\0.jsonl"], "NUL character"),
        (["rows.jsonl", "--summary-json", "a\0b"], "NUL character"),
        (["rows.jsonl", "--prompt-file", "a\0b"], "NUL character"),
    ],
    ids=ascii,
)
def test_a_name_that_cannot_be_used_is_refused(arguments: list[str], problem: str) -> None:
    prompt = [] if "--prompt-file" in arguments else ["--prompt", "{q}"]
    refused(CliRunner().invoke(main, ["run", *arguments, *prompt, "--model", "m", "--simulate"]), problem)


@pytest.mark.parametrize("sign", ["\n", "\t", "\r", "\x1b[31m", "\x85", "\u2028"], ids=ascii)
def test_control_characters_of_a_name_never_reach_the_terminal(folder: Path, sign: str) -> None:
    shown = sign.encode("unicode_escape").decode()
    (folder / f"in{sign}.jsonl").write_bytes(ROWS)
    done = run("-o", f"out{sign}.jsonl", rows=f"in{sign}.jsonl")
    missing = run(rows=f"no{sign}.jsonl")
    no_file = run("--prompt-file", f"no{sign}.txt", prompt=None)

    assert (done.exit_code, missing.exit_code, no_file.exit_code) == (0, 2, 2)
    assert f"\n  out{shown}.jsonl\n" in done.stdout
    assert f"no{shown}.jsonl" in missing.stderr
    assert f"no{shown}.txt" in no_file.stderr


def test_run_file_takes_names_as_bytes(folder: Path) -> None:
    (folder / f"{ODD}.jsonl").write_bytes(ROWS)

    summary = anyio.run(lambda: run_file(os.fsencode(f"{ODD}.jsonl"), prompt="{q}", model="m", simulate=True))

    assert summary.results == 2


# -- the environment


@pytest.mark.parametrize(
    "key", ["sk-1\n", " sk-1\t", "\ufeffsk-1", "\ufeff sk-1\r\n", "\udcef\udcbb\udcbfsk-1"]
)
def test_a_key_is_read_without_what_files_put_around_it(key: str) -> None:
    assert clean_key(key, "ANTHROPIC_API_KEY") == "sk-1"


@pytest.mark.parametrize(
    "key", ["s k", "sk\nx", "sk\r\nX-Evil: 1", "sk\udce9", "é", "sk\0", "sk\u200b", "\n", "\ufeff"]
)
def test_any_other_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(RunRefused, match="ANTHROPIC_API_KEY") as caught:
        clean_key(key, "ANTHROPIC_API_KEY")
    assert "sk" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_key_file_of_another_encoding_is_read(folder: Path, encoding: str) -> None:
    (folder / "key").write_bytes("sk-1\r\n".encode(encoding))
    command = ["run", "rows.jsonl", "--prompt", "{q}", "--model", "m", "--api-key-file", "key", "--dry-run"]

    assert CliRunner().invoke(main, command).exit_code == 0


URL = "http://127.0.0.1:8787"


@pytest.mark.parametrize("url", [f"{URL}\n", f" {URL} ", f"\ufeff{URL}/", f"\udcef\udcbb\udcbf{URL}"])
def test_a_base_url_is_read_without_what_files_put_around_it(url: str) -> None:
    assert endpoint(ANTHROPIC_BASE_URL=url) == URL


@pytest.mark.parametrize("url", ["", " ", "\ufeff", "\n"])
def test_a_blank_base_url_counts_as_not_given(url: str) -> None:
    assert endpoint(ANTHROPIC_BASE_URL=url) == "https://api.anthropic.com"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0\n.0.1",
        "http://a b",
        "http://\udce9",
        "http://x\x1b[31m",
        "http://a..b",
        f"http://{'a' * 64}.x",
        "http://a\u200bb",
        "http://[::1",
    ],
    ids=ascii,
)
def test_any_other_base_url_is_refused(url: str) -> None:
    with pytest.raises(RunRefused, match="the base URL") as caught:
        endpoint(ANTHROPIC_BASE_URL=url)
    assert str(caught.value).isprintable()


def test_the_message_names_the_variable_that_the_base_url_is_from() -> None:
    with pytest.raises(RunRefused, match=r"'ftp://x' \(ANTHROPIC_BASE_URL\) must look like"):
        endpoint(ANTHROPIC_BASE_URL="ftp://x")


def endpoint(**environ: str) -> str:
    dialect = make_dialect("anthropic", RequestOptions())
    return resolve_endpoint(dialect, ServerOptions(environ=environ, no_auth=True), None).base_url


# -- terminals


TERMINALS: dict[str, Mapping[str, str]] = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "C": {"LC_ALL": "C"},
    "POSIX without UTF-8": {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


def process(arguments: Sequence[bytes | str], **environ: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "headrace", *arguments]
    return subprocess.run(
        command, capture_output=True, timeout=60, check=False, env={**os.environ, **environ}
    )


@pytest.mark.parametrize("environ", TERMINALS.values(), ids=TERMINALS)
def test_a_terminal_of_any_encoding_gets_all_output(folder: Path, environ: Mapping[str, str]) -> None:
    """In an ASCII locale, arguments in UTF-8 are read as UTF-8 all the same."""
    (folder / "é-\udce9.jsonl").write_bytes('{"q":"ä"}\n'.encode())
    command = ["run", "é-\udce9.jsonl", "--prompt", "ü {q}", "--model", "模型", "--simulate"]
    names = ["-o", "ö-\udce9.jsonl", "--summary-json", "é.json", "-v"]

    raw = [os.fsencode(argument) for argument in command]
    preview = process([*raw, "--dry-run"], **environ)
    done = process([*raw, *map(os.fsencode, names), "--progress", "plain"], **environ)
    wrong = process([*raw[:3], b"caf\xe9 {q}", *raw[4:]], **environ)

    assert (preview.returncode, done.returncode, wrong.returncode) == (0, 0, 2)
    assert b"Traceback" not in preview.stderr + done.stderr + wrong.stderr
    assert b"byte 0xe9 at position 3" in wrong.stderr
    summary = msgspec.json.decode((folder / "é.json").read_bytes())
    assert summary["output"] == "ö-\\xe9.jsonl"
    assert "模型".encode() in (folder / "ö-\udce9.jsonl").read_bytes()


def test_what_a_stream_cannot_encode_is_written_as_an_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    ascii_stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    monkeypatch.setattr(sys, "stderr", ascii_stream)

    with pytest.raises(SystemExit):
        main(["verify", "no-é-\udce9.jsonl", "-o", "out.jsonl"])

    assert ascii_stream.errors == "backslashreplace"


# -- the rules


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("é", "é"),
        ("caf\udce9", "caf\\xe9"),
        ("\udcc3\udca9", "é"),
        ("\ud83d", "\\ud83d"),
        ("\ud83d\udce9", "\\ud83d\\udce9"),
    ],
    ids=ascii,
)
def test_readable(text: str, shown: str) -> None:
    assert readable(text) == shown


@given(st.text(st.characters()))
def test_any_text_can_be_shown(text: str) -> None:
    readable(text).encode()
    if text_problem(text) is None:
        assert readable(text) == recovered(text) == text


@given(st.binary())
def test_what_the_system_decodes_is_recovered_or_refused(data: bytes) -> None:
    text = data.decode("ascii", "surrogateescape")

    try:
        assert recovered(text) == data.decode()
        assert text_problem(recovered(text)) is None
    except UnicodeDecodeError:
        assert "is not UTF-8" in str(text_problem(recovered(text)))


@given(
    st.binary()
    | st.text().flatmap(lambda text: st.sampled_from(["utf-8", "utf-16", "utf-32"]).map(text.encode))
)
def test_a_file_is_text_or_refused(data: bytes) -> None:
    try:
        text = decode_file(data)
    except ValueError as error:
        text = str(error)
        assert text.endswith("save it as UTF-8")  # either may happen

    assert text.encode().decode() == text
    assert "\0" not in text


def test_trimmed() -> None:
    assert trimmed(" \ufeff a b\r\n") == "a b"
    assert RunOptions.of("f", prompt="é").request.prompt == "é"
