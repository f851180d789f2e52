"""What the environment and pyproject.toml say to models. The same to `om`: tests/cli/test_settings.py."""

from datetime import datetime
from pathlib import Path

import pytest

from redstart.errors import ConfigurationError
from redstart.settings import DEFAULT_URL, naive_timezone, server_url

NOON = datetime(2023, 1, 1, 12)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_settings(project: Path) -> None:
    assert server_url() == DEFAULT_URL
    assert naive_timezone().name == "UTC"


def test_a_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "pyproject.toml").write_text(
        '[tool.redstart]\nurl = "redis://elsewhere"\nnaive_timezone = "Europe/Berlin"\n', encoding="utf-8"
    )
    inside = project / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    assert server_url() == "redis://elsewhere"
    assert naive_timezone().microseconds(NOON) == 1_672_570_800_000_000
    assert naive_timezone() is naive_timezone()


def test_the_environment_wins_and_may_change(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "pyproject.toml").write_text(
        '[tool.redstart]\nurl = "redis://elsewhere"\nnaive_timezone = "Europe/Berlin"\n', encoding="utf-8"
    )
    for host in "ab":
        monkeypatch.setenv("REDIS_OM_URL", f"redis://{host}")
        assert server_url() == f"redis://{host}"
    monkeypatch.setenv("REDSTART_NAIVE_TIMEZONE", "Asia/Kolkata")
    assert naive_timezone().name == "Asia/Kolkata"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ("naive_timezone = 'Mars'", "naive_timezone in pyproject.toml: There is no time zone 'Mars'"),
        ("naive_timezone = 1", "tool.redstart.naive_timezone is 1, not text"),
        ("naive_timezone =", "cannot be read"),
        ("naive_timezon = 'UTC'", "naive_timezon is no setting. Did you mean naive_timezone?"),
        ("url = []", r"tool.redstart.url is \[\], not text"),
    ],
)
def test_wrong_settings(project: Path, settings: str, reason: str) -> None:
    (project / "pyproject.toml").write_text(f"[tool.redstart]\n{settings}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=reason):
        naive_timezone()
