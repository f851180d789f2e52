"""What is said of a build while it goes on."""

import pytest

from redstart.cli.indexes import QUICK_BUILD_SECONDS, noting_builds


def test_a_quick_build_says_nothing_and_a_long_one_every_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    tell = noting_builds(lambda: now)
    for percent in (0.0, 50.0, 99.0):
        tell("quick", percent)
    tell("long", 0.0)
    now += QUICK_BUILD_SECONDS
    for percent in (3.0, 4.0, 12.0, 12.5, 100.0):
        tell("long", percent)
    noted = capsys.readouterr().err.splitlines()
    assert noted == ["building long: 3 %", "building long: 12 %", "building long: 100 %"]
