"""Redirects: 307 and 308 within the origin are followed; any other one fails with the name of its target.

Neither the key nor the body is ever sent to another origin.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from trio.testing import MockClock

from headrace.policy.options import RequestOptions
from headrace.run.summary import Summary
from headrace.simulator._asgi import Receive, Scope, Send
from headrace_client.lowlevel import Origin
from headrace_client.transport import Connector
from headrace_client.transport.stream import ByteStream
from tests.runner.disk import SimulatedDisk
from tests.runner.program import ERRORS, KEY, jobs, new_disk, records, run

pytestmark = pytest.mark.trio

HOME = "http://api.localhost"
PATH = "/v1/messages"
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 5, "output_tokens": 2},
}


@attrs.define
class Api:
    """Redirects by target, as (status, location); answers every other one. ``requests``: what arrived."""

    moved: dict[str, tuple[int, str]]
    requests: list[tuple[str, bytes]] = attrs.field(factory=list[tuple[str, bytes]])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = scope["query_string"].decode()
        target = scope["path"] + (f"?{query}" if query else "")
        body = b""
        more = True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        assert dict(scope["headers"])[b"x-api-key"] == KEY.encode()
        self.requests.append((target, body))
        status, location = self.moved.get(target, (200, ""))
        answer = json.dumps(MESSAGE).encode() if status == 200 else b""
        headers = [(b"content-length", b"%d" % len(answer)), (b"content-type", b"application/json")]
        headers += [(b"location", location.encode("utf-8"))] if status != 200 else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    @property
    def targets(self) -> list[str]:
        return [target for target, _ in self.requests]


async def run_against(api: Api, count: int = 1, **options: Any) -> tuple[Summary, SimulatedDisk, set[Origin]]:
    """Run jobs against the API; return the origins to which connections were opened, too."""
    disk, origins = new_disk(jobs(count)), set[Origin]()
    options = {"concurrency": 1, "max_attempts": 1, **options}
    summary = await run(disk, api, network=watched(origins), **options)
    return summary, disk, origins


def watched(origins: set[Origin]) -> Callable[[Connector], Connector]:
    def through(connect: Connector) -> Connector:
        async def noted(origin: Origin) -> ByteStream:
            origins.add(origin)
            return await connect(origin)

        return noted

    return through


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize(
    ("location", "target"),
    [
        (f"{PATH}/", f"{PATH}/"),
        (f"{HOME}{PATH}/", f"{PATH}/"),
        (f"{HOME}:80{PATH}/", f"{PATH}/"),
        ("HTTP://API.LOCALHOST/v2/messages", "/v2/messages"),
        ("//api.localhost/v2/messages", "/v2/messages"),
        ("messages/", f"{PATH}/"),
        ("../v2/messages", "/v2/messages"),
        ("?ticket=a%20b", f"{PATH}?ticket=a%20b"),
        ("/v2/messages#part", "/v2/messages"),
        ("http://user:pw@api.localhost/v2/messages", "/v2/messages"),
        ("/a b", "/a b"),
        ("/caf\u00e9", "/caf\u00e9"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_redirect_within_the_origin_is_followed(
    autojump_clock: MockClock, status: int, location: str, target: str, stream: bool
) -> None:
    api = Api({PATH: (status, location)})

    summary, disk, origins = await run_against(api, request=RequestOptions(stream=stream))

    assert (summary.exit_code, summary.results) == (0, 1)
    assert api.targets == [PATH, target]
    assert api.requests[0][1] == api.requests[1][1] != b""
    assert records(disk)[0]["headrace"]["attempts"] == 1
    assert {str(origin) for origin in origins} == {HOME}


@pytest.mark.parametrize(
    ("status", "location"),
    [(307, f"{PATH}/"), (307, f"{HOME}{PATH}//"), (308, "/v2/messages"), (308, "/v2/messages?a=b")],
)
async def test_a_path_that_has_moved_is_remembered(
    autojump_clock: MockClock, status: int, location: str
) -> None:
    """Each of the four workers may meet the redirect once."""
    api = Api({PATH: (status, location)})

    summary, _, _ = await run_against(api, 50, concurrency=4)

    assert summary.results == 50
    assert api.targets.count(PATH) <= 4
    assert len(api.requests) == 50 + api.targets.count(PATH)


@pytest.mark.parametrize("location", ["/replica-3/v1/messages", f"{PATH}?ticket=1"])
async def test_a_temporary_redirect_is_for_one_request(autojump_clock: MockClock, location: str) -> None:
    """It may spread the load, or hold a ticket."""
    api = Api({PATH: (307, location)})

    summary, _, _ = await run_against(api, 5)

    assert summary.results == 5
    assert api.targets == [PATH, location] * 5


async def test_several_redirects_in_a_row(autojump_clock: MockClock) -> None:
    api = Api({PATH: (308, "/a"), "/a": (307, "/b?x=1"), "/b?x=1": (308, "c"), "/c": (307, "/c/")})

    summary, _, _ = await run_against(api, 2)

    assert summary.results == 2
    assert api.targets == [PATH, "/a", "/b?x=1", "/c", "/c/", "/a", "/b?x=1", "/c", "/c/"]


@pytest.mark.parametrize("location", ["", PATH, "/v1/messages/../messages"])
async def test_redirects_that_lead_nowhere_end(autojump_clock: MockClock, location: str) -> None:
    api = Api({PATH: (307, location)})

    summary, disk, _ = await run_against(api)

    [record] = records(disk, ERRORS)
    assert (summary.failed, record["headrace"]["failed"]) == (1, "redirect")
    assert len(api.requests) == (6 if location else 1)


@pytest.mark.parametrize(
    ("status", "location", "said"),
    [
        (302, "https://sso.example.com/login?next=SECRET", "another origin, https://sso.example.com/login,"),
        (307, "https://api.localhost/v1/messages", "set --base-url https://api.localhost (base_url)"),
        (308, "https://other.test/api/v1/messages", "set --base-url https://other.test/api (base_url)"),
        (
            308,
            "http://api.localhost:8080/v1/messages",
            "another origin, http://api.localhost:8080/v1/messages,",
        ),
        (307, "//user:SECRET@other.test/x", "another origin, http://other.test/x,"),
        (307, "http://api.localhost@other.test/x#SECRET", "another origin, http://other.test/x,"),
        (307, "ftp://api.localhost/x?SECRET", "another origin, ftp://api.localhost/x,"),
        (307, "https://[", "another origin"),
        (301, "/v1/messages/", "redirects to http://api.localhost/v1/messages/ as if the POST were a GET"),
        (302, "/login?SECRET", "redirects to http://api.localhost/login as if the POST were a GET"),
        (303, "/v1/status", "redirects to http://api.localhost/v1/status as if the POST were a GET"),
    ],
)
async def test_any_other_redirect_is_named(
    autojump_clock: MockClock, status: int, location: str, said: str
) -> None:
    api = Api({PATH: (status, location)})

    summary, disk, origins = await run_against(api, max_attempts=5)

    [record] = records(disk, ERRORS)
    text = json.dumps(record)
    assert summary.failed == len(api.requests) == 1
    assert record["headrace"]["failed"] == "redirect"
    assert said in text
    assert "--base-url" in text
    assert "SECRET" not in text
    assert "maybe_billed" not in record["headrace"]
    assert {str(origin) for origin in origins} == {HOME}
