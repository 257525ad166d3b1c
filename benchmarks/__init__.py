"""Measures headrace beside its peers: `python -m benchmarks --help`, and README.md for how to read it."""
