"""The one version of the distribution: of both packages."""

__version__ = "0.1.0"
