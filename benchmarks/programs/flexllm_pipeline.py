"""Send a job file with flexllm's `chat_batch` and turn its answers into records.

python flexllm_pipeline.py BASE_URL INPUT OUTPUT IN_FLIGHT
"""

from __future__ import annotations

import asyncio
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any


def main(base_url: str, source: str, target: str, in_flight: str) -> None:
    """Read all jobs, pass them to `chat_batch`, and write its answers as records."""
    flexllm: Any = import_module("flexllm")  # in the peer's own environment
    with Path(source).open("rb") as lines:
        jobs = [json.loads(line) for line in lines]
    client = flexllm.ClaudeClient(
        base_url=base_url + "/v1",
        api_key="k",
        model=jobs[0]["params"]["model"],
        concurrency_limit=int(in_flight),
        max_qps=None,
    )
    messages = [job["params"]["messages"] for job in jobs]
    results = asyncio.run(client.chat_batch(messages, max_tokens=256, show_progress=False))
    with Path(target).open("w", encoding="utf-8") as output:
        for job, answer in zip(jobs, results, strict=True):
            text = answer.content if hasattr(answer, "content") else answer
            message = {"id": "msg_0123456789abcdef", "content": [{"type": "text", "text": text}]}
            record = {"custom_id": job["custom_id"], "result": {"type": "succeeded", "message": message}}
            output.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
