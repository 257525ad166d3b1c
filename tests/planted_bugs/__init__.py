"""Bugs that the tests must notice, each planted alone in a copy of the tree: see `planting`."""
