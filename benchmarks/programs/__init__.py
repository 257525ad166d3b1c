"""The programs that are measured: each runs alone, in its peer's environment, and imports no other."""
