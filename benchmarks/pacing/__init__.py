"""How well programs and policies use a rate limit, in the scenarios of `tests.scenarios`."""
