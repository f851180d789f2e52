"""`om`: the command line. Subcommands are imported when they are called, so that `om` starts quickly."""

import errno
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType

import click
from click.shell_completion import CompletionItem

from redstart.cli.exit_codes import Exit, report, report_error, report_usage
from redstart.cli.output import (
    broken,
    command_name,
    discard_unwritable,
    named_as_typed,
    prepare_streams,
    rendered,
    unbroken,
)
from redstart.display import did_you_mean
from redstart.errors import RedstartError
from redstart.next_steps import Command, Hint

_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Errors of a stream to a disk that is full or broken."""


@dataclass(frozen=True, slots=True)
class Given:
    """Options of all commands, given before or after the command. Those after it take precedence."""

    url: str | None = field(default=None, repr=False)
    models: tuple[str, ...] = ()
    exclude_prefixes: tuple[str, ...] = ()


class _Formatter(click.HelpFormatter):
    """Write help in which commands have the name under which the program was started; no command is broken."""

    def write(self, string: str) -> None:
        super().write(broken(string))

    def write_text(self, text: str) -> None:
        super().write_text(unbroken(named_as_typed(text)))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl(
            [(name, unbroken(named_as_typed(text))) for name, text in rows], col_max, col_spacing
        )


class _Context(click.Context):
    formatter_class = _Formatter


class LazyGroup(click.Group):
    """A group that imports a command when it is called.

    Args:
        lazy: for each command, `module:attribute` and its line of help.
        replaced: for commands and options of redis-om that Redstart does not have, the alternative.
    """

    context_class = _Context

    def __init__(
        self,
        *args: object,
        lazy: dict[str, tuple[str, str]],
        replaced: Mapping[str, str | Hint] = MappingProxyType({}),
        **kwargs: object,
    ) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed through to click
        self._lazy = lazy
        self._replaced = replaced

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the options of the group."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            self._refuse_replaced(ctx, "option", error.option_name)
            raise

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that begin with a text, without importing any command."""
        found = [
            CompletionItem(name, help=named_as_typed(help_line))
            for name, (_, help_line) in self._lazy.items()
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def _refuse_replaced(self, ctx: click.Context, kind: str, name: str) -> None:
        if name in self._replaced and not ctx.resilient_parsing:
            typed = f"{ctx.command_path} {name}"
            ctx.fail(f"Redstart has no {kind} {typed!r}. {rendered(self._replaced[name])}")

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command. An unknown name is an error that suggests the nearest command."""
        name = args[0]
        is_unknown = not name.startswith("-") and self.get_command(ctx, name) is None
        if is_unknown and not ctx.resilient_parsing:
            ctx.fail(f"No such command {name!r}. {did_you_mean(name, self.list_commands(ctx))}".rstrip())
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which a user needs the commands."""
        return [*self._lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command and return the command."""
        self._refuse_replaced(ctx, "command", cmd_name)
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._lazy[cmd_name][0].partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)  # the tables contain nothing else
        command.context_class = _Context
        return command

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in self._lazy.items()])


COMMANDS = {
    "migrate": (
        "redstart.cli.migrate.group:migrate",
        "Build indexes and cut over; write and record migration files.",
    ),
    "migrate-data": (
        "redstart.cli.migrate_data.group:migrate_data",
        "Convert stored dates to numbers, verify them, roll back.",
    ),
    "index": ("redstart.cli.index.group:index", "Create, rebuild and drop the indexes of models."),
    "upgrade": ("redstart.cli.upgrade:upgrade", "Apply the pending migration files."),
    "downgrade": ("redstart.cli.upgrade:downgrade", "Roll back migration files."),
    "server": ("redstart.cli.server:server", "Run a development server with JSON and search."),
    "demo": ("redstart.cli.demo:demo", "Watch a migration of 20,000 sample documents."),
    "completion": (
        "redstart.cli.completion:completion",
        "Print the script that completes commands in a shell.",
    ),
}


def _show_versions(ctx: click.Context, _: click.Parameter, is_given: bool) -> None:
    if is_given and not ctx.resilient_parsing:
        from redstart.cli.versions import show_versions  # noqa: PLC0415 - it loads redis-py, and help does not

        show_versions(ctx.params.get("url"))
        ctx.exit()


@click.command(
    "om",
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--url",
    metavar="URL",
    is_eager=True,  # before --version, which shows that of the server
    help="Server: redis://user:password@host:6379/0. Default: REDIS_OM_URL, then pyproject.toml.",
)
@click.option(
    "--models",
    multiple=True,
    metavar="MODULE",
    help="Module or package with models. Default: REDSTART_MODELS, then pyproject.toml.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_versions,
    help="Show the versions of the program, its libraries and the server, if it replies quickly, and exit.",
)
@click.pass_context
def om(ctx: click.Context, url: str | None, models: tuple[str, ...]) -> None:
    """Redstart: migrations of Redis documents and their indexes, with rollback.

    \b
    Exit codes
      0  done
      1  failed, or refused before the first write
      2  wrong usage or configuration
      3  work is pending: --check found some, or a cutover was refused
      4  another run holds the lease
      5  stopped; the same command resumes it
      6  problems found: by verify, by a rollback, or documents disappeared
    """  # noqa: D301 - click reads the backspace
    ctx.obj = Given(url, models)


def main() -> None:
    """Run `om`: the entry point, where errors become messages and exit codes."""
    prepare_streams()
    sys.exit(_exit_code())


def _exit_code() -> int:
    try:
        code = om(prog_name=command_name(), standalone_mode=False)
    except RedstartError as exc:
        return report_error(exc)
    except click.ClickException as exc:
        return report_usage(exc)
    except click.Abort as exc:
        if isinstance(exc.__cause__, KeyboardInterrupt):
            hint = "Completed work is saved. To resume, run the same command again."
            return report("Interrupted.", hint, Exit.INTERRUPTED)
        return report("Not confirmed. Nothing was changed.", None, Exit.FAILED)
    except OSError as exc:  # a full disk under stdout, or a file without read permission
        discard_unwritable(sys.stdout)
        return _report_os_error(exc)
    return code if isinstance(code, int) else Exit.DONE


def _report_os_error(exc: OSError) -> Exit:
    if exc.filename is not None or exc.errno not in _UNWRITABLE:
        return report(str(exc), None, Exit.FAILED)
    hint = Hint("The work of the command may be complete. Check with: ", Command("migrate status"))
    return report(f"The output could not be written: {exc.strerror}.", hint, Exit.FAILED)


if __name__ == "__main__":
    main()
