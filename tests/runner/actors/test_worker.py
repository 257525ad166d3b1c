"""What a worker is given and what of it may be shown."""

from __future__ import annotations

from headrace.actors.worker import AttemptSettings
from headrace.dialects import make_dialect
from headrace.policy.options import RequestOptions
from headrace_client import AsyncAPIClient


def test_the_settings_of_attempts_never_show_a_secret() -> None:
    settings = AttemptSettings(
        client=AsyncAPIClient(version="1", base_url="http://127.0.0.1:1", _strict_response_validation=False),
        dialect=make_dialect("anthropic", RequestOptions()),
        headers={"x-api-key": "sk-secret"},
        recipe="",
        secrets=("sk-secret",),
        wall_clock=lambda: 0.0,
    )

    assert "sk-secret" not in repr(settings)
