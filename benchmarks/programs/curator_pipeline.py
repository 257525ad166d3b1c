"""A job file through Bespoke Curator's `LLM`, whose dataset is turned into records.

python curator_pipeline.py BASE_URL INPUT OUTPUT IN_FLIGHT
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any


def main(base_url: str, source: str, target: str, in_flight: str) -> None:
    """Read all jobs, as Curator wants them, and keep what it returns."""
    os.environ["TELEMETRY_ENABLED"] = "false"
    with tempfile.TemporaryDirectory() as cache:
        os.environ["CURATOR_CACHE_DIR"] = cache
        os.environ["CURATOR_DISABLE_CACHE"] = "true"
        curator: Any = import_module("bespokelabs.curator")  # in the peer's own environment
        with Path(source).open("rb") as lines:
            jobs = [json.loads(line) for line in lines]
        llm = curator.LLM(
            model_name=jobs[0]["params"]["model"],
            backend="anthropic",
            backend_params={
                "base_url": base_url + "/v1",
                "max_requests_per_minute": 10_000_000,
                "max_input_tokens_per_minute": 10_000_000_000,
                "max_output_tokens_per_minute": 10_000_000_000,
                "max_concurrent_requests": int(in_flight),
            },
            generation_params={"max_tokens": 256},
        )
        prompts = [job["params"]["messages"][0]["content"] for job in jobs]
        answers = [row["response"] for row in llm(prompts).dataset]
    with Path(target).open("w", encoding="utf-8") as output:
        for job, text in zip(jobs, answers, strict=True):
            message = {"id": "msg_0123456789abcdef", "content": [{"type": "text", "text": text}]}
            record = {"custom_id": job["custom_id"], "result": {"type": "succeeded", "message": message}}
            output.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
