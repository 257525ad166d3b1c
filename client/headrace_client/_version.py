"""The version of the distribution, and so of both packages."""

__version__ = "0.1.0"
