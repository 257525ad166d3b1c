"""Send a job file as an evaluation of inspect_ai without a scorer, and turn its log into records.

python paced_inspect.py BASE_URL INPUT OUTPUT IN_FLIGHT

IN_FLIGHT is not used: inspect_ai finds the number of connections by itself.
"""

from __future__ import annotations

import json
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any


def main(base_url: str, source: str, target: str, _in_flight: str) -> None:
    """Evaluate all jobs as samples and write the answers as records."""
    with Path(source).open("rb") as lines:
        jobs = [json.loads(line) for line in lines]
    inspect_ai: Any = import_module("inspect_ai")  # in the peer's own environment
    dataset: Any = import_module("inspect_ai.dataset")
    params = jobs[0]["params"]
    samples = [
        dataset.Sample(id=job["custom_id"], input=job["params"]["messages"][0]["content"]) for job in jobs
    ]
    with tempfile.TemporaryDirectory() as folder:  # inspect_ai reads samples from it lazily
        logs: list[Any] = inspect_ai.eval(
            inspect_ai.Task(dataset=samples),
            model=f"anthropic/{params['model']}",
            model_base_url=base_url,
            model_args={"api_key": "k"},
            max_tokens=params["max_tokens"],
            max_samples=len(jobs),
            fail_on_error=False,
            display="none",
            log_dir=folder,
        )
        answered: list[Any] = logs[0].samples or []
        with Path(target).open("w", encoding="utf-8") as output:
            for sample in answered:
                if text := sample.output.completion:
                    message = {"id": "", "content": [{"type": "text", "text": text}]}
                    record = {"custom_id": sample.id, "result": {"type": "succeeded", "message": message}}
                    output.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
