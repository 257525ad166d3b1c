"""The runner for programs: `open_runner`, `fan_out` and `run_file`, the same under trio and asyncio.

A `Desk` stands where a job file stands in `headrace run`: one reader, one dispatcher, one set of workers.
On the caller's side stand `Results`; a `Bridge` leads from one to the other, across threads under asyncio.
"""
