"""The runner for programs: `open_runner`, `fan_out` and `run_file`, under trio and asyncio alike.

A `Session` takes the place of the job file in `headrace run`, with one reader, one dispatcher and one set of
workers. `Results` are on the caller's side. A `Bridge` connects the two, across threads under asyncio.
"""
