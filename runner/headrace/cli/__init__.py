"""The command line. Each command lives in a module of its own, imported when it is asked for."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from headrace_client import __version__

COMMANDS = {
    "run": "Run a file of API calls and write down every answer.",
    "verify": "Prove that every line of the input has its record.",
    "demo": "See a small job file go through the whole program, without a key.",
    "plan": "Rehearse a run: how long, how many tokens, how much money.",
    "simulate": "Serve a simulated API on this machine.",
}

_INTERRUPTED = 130


class _LazyGroup(click.Group):
    """A group whose commands are imported when they are needed: `--help` and errors stay quick."""

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command. Ctrl-C before its first request or after its last ends with 130 as in between."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("headrace: stopped by SIGINT; run the same command again to go on", err=True)
            ctx.exit(_INTERRUPTED)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        if cmd_name not in COMMANDS:
            return None
        return getattr(importlib.import_module(f"headrace.cli.{cmd_name}"), cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__, prog_name="headrace")
def main() -> None:
    """Run bulk API jobs as fast as the rate limits allow, never losing or paying twice for an answer."""


if __name__ == "__main__":
    sys.exit(main())
