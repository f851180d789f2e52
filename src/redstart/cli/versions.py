"""`om --version`: the versions that a bug report needs."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from redstart import __version__
from redstart.cli.output import command_name, line
from redstart.commands.server_info import modules
from redstart.display import without_password
from redstart.effects import Op, call
from redstart.errors import RedstartError
from redstart.migrations.server_checks import server_facts
from redstart.server.clients import open_sync
from redstart.settings import project_table, url_setting

LIBRARIES: Final = (
    "redis",
    "hiredis",
    "pydantic",
    "pydantic-core",
    "click",
    "msgpack",
    "rich",
    "ulid-transform",
)
TIMEOUT_SECONDS: Final = 0.5


def show_versions(url: str | None) -> None:
    """Print the versions of the program, of Python and the libraries, and of the server if it replies quickly.

    Args:
        url: of the server; by default that of the settings.

    Effects: reads only.
    """
    line(f"{command_name()}, version {__version__}")
    line(f"Python {platform.python_version()} ({sys.platform} {platform.machine()})")
    line(", ".join(f"{name} {_version(name)}" for name in LIBRARIES))
    line(_server(url))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _server(url: str | None) -> str:
    """Return the versions of a server, or why they are not known."""
    try:
        chosen = url or url_setting(project_table())
        with open_sync(chosen, timeout_seconds=TIMEOUT_SECONDS) as driver:
            return f"Server at {without_password(chosen)}: {driver.run(_server_versions())}"
    except RedstartError as error:
        return error.message


def _server_versions() -> Op[str]:
    found = [(yield from server_facts()).version]
    found += [f"{name} {number}" for name, number in sorted((yield from call(modules())).items())]
    return ", ".join(found)
