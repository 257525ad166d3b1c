"""What all commands share: how their help looks, and what they refuse in any argument."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import click
import cloup

from headrace.policy.text import recovered, text_problem

CONTEXT: dict[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "show_default": True,
    "formatter_settings": cloup.HelpFormatter.settings(max_width=100, col2_min_width=40),
}


class _Command(cloup.Command):
    """A command that refuses options given twice, and text that is not valid."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. Raises `click.UsageError`, so that the program exits with 2."""
        if any("\0" in argument for argument in args):
            raise click.UsageError("an argument contains a NUL character: remove it", ctx)
        self._refuse_repeated(ctx, list(args))
        rest = super().parse_args(ctx, args)
        for parameter in self.get_params(ctx):
            if parameter.name in ctx.params and not isinstance(parameter.type, click.Path):
                ctx.params[parameter.name] = _checked(ctx.params[parameter.name], parameter, ctx)
        return rest

    def _refuse_repeated(self, ctx: click.Context, args: list[str]) -> None:
        """Refuse an option that is given twice: the last one would win without a word."""
        _, _, given = self.make_parser(ctx).parse_args(args)
        for parameter, times in Counter(given).items():
            if isinstance(parameter, click.Option) and times > 1 and _has_one_value(parameter):
                raise click.UsageError(f"{parameter.opts[-1]} is given twice: leave out one of them", ctx)


_LAST_WINS = frozenset(
    {"progress", "concurrency", "max_wait", "grace", "max_attempts", "timeout", "idle_timeout"}
)
"""Options that change neither what is sent nor where: a script may set them, and its user override them."""


def _has_one_value(option: click.Option) -> bool:
    return not (option.multiple or option.is_flag or option.count or option.name in _LAST_WINS)


def _checked(value: Any, parameter: click.Parameter, ctx: click.Context) -> Any:
    """Return an argument as valid text. Raises `click.BadParameter` if it is not."""
    if isinstance(value, tuple):
        return tuple(_checked(item, parameter, ctx) for item in cast("tuple[Any, ...]", value))
    if not isinstance(value, str):
        return value
    text = recovered(value).removeprefix("\ufeff")  # a shell takes it over from a file
    if problem := text_problem(text):
        raise click.BadParameter(problem, ctx, parameter)
    return text


def command(*examples: str) -> Callable[[Callable[..., None]], cloup.Command]:
    """Make a command of a function. ``examples``: command lines that its help ends with."""
    # \b keeps the lines as they are
    epilog = "\n  ".join(("\b\nExamples:", *examples)) if examples else None
    return cloup.command(cls=_Command, context_settings=CONTEXT, epilog=epilog)
