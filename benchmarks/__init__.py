"""Compare headrace with its peers: see `python -m benchmarks --help` and README.md."""
