"""The servers, pinned to the first core: nginx for speed, and our own for what nginx cannot do.

nginx can neither wait before it responds nor name the request in the response. If nginx is not installed, our
own server takes its place.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from ._peers import python_of
from ._work import NAMELESS, answer_to, stream_of

SERVER_CORE, CLIENT_CORE = 0, 1

_NGINX = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
worker_processes 1;
worker_rlimit_nofile 65536;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_body_buffer_size 64k;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port}{tls} backlog=65535 reuseport;
    ssl_protocols TLSv1.3;
    {certificate}
    default_type {content_type};
    location / {{ return 200 '{body}'; }}
  }}
}}
"""


@attrs.frozen(kw_only=True)
class Server:
    """A running server. ``named``: its answers name the request."""

    name: str
    base_url: str
    named: bool
    pid: int
    trust: Path | None = None
    """The certificate to trust, if it speaks TLS."""


def find_nginx() -> str | None:
    """Return the path of nginx, or None if it is not installed."""
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


@contextmanager
def serve(
    folder: Path, *, latency: float = 0.0, tls: bool = False, stream: bool = False
) -> Generator[Server]:
    """Run a server. ``latency``: seconds before each response. ``stream``: respond with SSE."""
    folder.mkdir(parents=True, exist_ok=True)
    trust = _make_certificate(folder) if tls else None
    port = free_port()
    nginx = find_nginx()
    if latency or nginx is None:
        name = "a server on asyncio"
        command = [str(python_of("aiohttp")), str(Path(__file__).parent / "programs" / "server.py")]
        command += [str(port), str(latency), str(trust or "")]
        for body in (answer_to(NAMELESS), stream_of(NAMELESS)):
            path = folder / f"answer-{len(body)}"
            path.write_bytes(body)
            command.append(str(path))
    else:
        name = "nginx"
        command = [nginx, "-p", str(folder), "-c", str(_nginx_settings(folder, port, trust, stream=stream))]
    with running(command, port) as pid:
        yield Server(
            name=name,
            base_url=f"{'https' if tls else 'http'}://127.0.0.1:{port}",
            named=name != "nginx",
            pid=pid,
            trust=trust,
        )


def _nginx_settings(folder: Path, port: int, trust: Path | None, *, stream: bool) -> Path:
    body = stream_of(NAMELESS) if stream else answer_to(NAMELESS)
    path = folder / "nginx.conf"
    text = _NGINX.format(
        folder=folder,
        port=port,
        tls=" ssl" if trust else "",
        certificate=f"ssl_certificate {trust}; ssl_certificate_key {trust};" if trust else "",
        content_type="text/event-stream" if stream else "application/json",
        body=body.decode(),
    )
    path.write_text(text, encoding="utf-8")
    folder.chmod(0o755)
    return path


def _make_certificate(folder: Path) -> Path:
    """Create a key and a certificate for the loopback address, in one file."""
    path = folder / "server.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1"
    )
    extras = [
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        str(path),
        "-out",
        str(folder / "cert.pem"),
    ]
    subprocess.run([*command.split(), *extras], check=True, capture_output=True)
    with path.open("ab") as file:
        file.write((folder / "cert.pem").read_bytes())
    return path


def free_port() -> int:
    """Return a free port of the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(command: Sequence[str], port: int) -> Generator[int]:
    """Run a server on its core until the block ends. Yields its process id as soon as it listens."""
    process = subprocess.Popen(pinned(command, SERVER_CORE))
    try:
        _await_port(port, process)
        yield process.pid
    finally:
        process.terminate()
        process.wait(10)


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    sys.exit("the server did not start")


def pinned(command: Sequence[str], core: int) -> list[str]:
    """Return the command bound to a core, if taskset is installed and there is more than one core."""
    taskset = shutil.which("taskset")
    if taskset is None or (os.cpu_count() or 1) < 2:
        return list(command)
    return [taskset, "-c", str(core), *command]
