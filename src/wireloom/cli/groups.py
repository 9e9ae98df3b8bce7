"""Groups of commands that suggest the nearest name for an unknown one."""

import difflib

import click

# How many names an error lists.
_FEW = 8


class SuggestingGroup(click.Group):
    """A group whose error for an unknown command suggests the nearest one, or lists those there are."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the name, the command and the other arguments; raises ``UsageError`` where there is no such command."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"No such command {name!r}. {_hint(name, self.list_commands(ctx), ctx.command_path)}")
        return super().resolve_command(ctx, args)


def _hint(name: str, names: list[str], group: str) -> str:
    close = difflib.get_close_matches(name, names, 1)
    if close:
        return f"Did you mean {close[0]}?"
    if len(names) > _FEW:
        return f"`{group} --help` lists those there are."
    return f"There {'is' if len(names) == 1 else 'are'} {', '.join(names)}."
