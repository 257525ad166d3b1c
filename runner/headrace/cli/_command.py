"""How a command looks: its help in sections, with examples at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cloup

CONTEXT: dict[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "show_default": True,
    "formatter_settings": cloup.HelpFormatter.settings(max_width=100, col2_min_width=40),
}


def command(*examples: str) -> Callable[[Callable[..., None]], cloup.Command]:
    """Make a command of a function. ``examples``: command lines that its help ends with."""
    # \b keeps the lines as they are
    epilog = "\n  ".join(("\b\nExamples:", *examples)) if examples else None
    return cloup.command(context_settings=CONTEXT, epilog=epilog)
