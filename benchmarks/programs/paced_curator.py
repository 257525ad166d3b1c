"""Send a job file with Bespoke Curator's Anthropic backend, which finds the rate limits by itself.

python paced_curator.py BASE_URL INPUT OUTPUT IN_FLIGHT

IN_FLIGHT is not used: Curator paces itself by the limits that its first response reports. It finds the files
for its tokenizer in litellm's package, so nothing is downloaded.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def main(base_url: str, source: str, target: str, _in_flight: str) -> None:
    """Read all jobs, have Curator send them, and write the answers as records."""
    with Path(source).open("rb") as lines:
        jobs = [json.loads(line) for line in lines]
    with tempfile.TemporaryDirectory() as cache:
        answers = ask(base_url, jobs, cache)
    with Path(target).open("w", encoding="utf-8") as output:
        for answer in answers:
            message = {"id": "", "content": [{"type": "text", "text": answer["text"]}]}
            record = {"custom_id": answer["name"], "result": {"type": "succeeded", "message": message}}
            output.write(json.dumps(record) + "\n")


def ask(base_url: str, jobs: list[Any], cache: str) -> list[Any]:
    """Return a row with name and text for each job that got an answer."""
    litellm = find_spec("litellm")
    if litellm is None or litellm.origin is None:
        sys.exit("litellm is not installed")
    tokenizers = Path(litellm.origin).parent / "litellm_core_utils" / "tokenizers"
    os.environ |= {
        "TIKTOKEN_CACHE_DIR": str(tokenizers),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "CURATOR_CACHE_DIR": cache,
        "TELEMETRY_ENABLED": "false",
        "HF_HUB_OFFLINE": "1",
        "ANTHROPIC_BASE_URL": base_url,
    }
    curator: Any = import_module("bespokelabs.curator")  # in the peer's own environment

    class Asker(curator.LLM):
        def prompt(self, row: dict[str, str]) -> str:
            return row["prompt"]

        def parse(self, row: dict[str, str], response: str) -> dict[str, str]:
            return {"name": row["name"], "text": response}

    params = jobs[0]["params"]
    asker = Asker(
        model_name=params["model"],
        backend="anthropic",
        backend_params={"base_url": base_url + "/v1", "require_all_responses": False},
        generation_params={"max_tokens": params["max_tokens"]},
    )
    rows = [{"name": job["custom_id"], "prompt": job["params"]["messages"][0]["content"]} for job in jobs]
    return list(asker(rows).dataset)


if __name__ == "__main__":
    main(*sys.argv[1:])
