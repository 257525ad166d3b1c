"""The command line. Each command is a module of its own, imported when it is called."""

from __future__ import annotations

import importlib
import io
import sys
from typing import Any

import click

from headrace_client import __version__

COMMANDS = {
    "demo": "Watch a small job file run on the simulator, without a key.",
    "plan": "Estimate the time, tokens and cost of a run; send nothing.",
    "run": "Run job files and write one record per job.",
    "verify": "Check that every line of the input has its record.",
    "simulate": "Serve a simulated API on this machine.",
}

_EXAMPLES = (
    "headrace demo",
    "headrace run jobs.jsonl -o results.jsonl",
    "headrace verify jobs.jsonl -o results.jsonl",
    "headrace run --help",
)

_INTERRUPTED = 130


class _LazyGroup(click.Group):
    """A group whose commands are imported when they are called: help and completion stay quick."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program. What a stream cannot encode is written to it as an escape."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # None if it is closed
                stream.reconfigure(errors="backslashreplace")
        return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command. Ctrl-C exits with 130 also before its first request and after its last."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("headrace: stopped by SIGINT; run the same command again to resume", err=True)
            ctx.exit(_INTERRUPTED)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order of a user's day."""
        return list(self.commands)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Examples"):
            for example in _EXAMPLES:
                formatter.write_text(example)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Import the command in place of its stand-in."""
        name, stand_in, rest = super().resolve_command(ctx, args)
        if name is None or stand_in is None:
            return name, stand_in, rest
        return name, getattr(importlib.import_module(f"headrace.cli.{name}"), name), rest


@click.group(
    cls=_LazyGroup,
    commands={name: click.Command(name, short_help=text) for name, text in COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="headrace")
def main() -> None:
    """Run bulk API jobs as fast as the rate limits allow, and never lose a result or pay for one twice."""


if __name__ == "__main__":
    sys.exit(main())
