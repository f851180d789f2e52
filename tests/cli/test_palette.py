"""Styles are of the 16 that each terminal defines, without those that vanish on a white or a black background."""

import re

import redis

from redstart.cli.output import Tone
from tests.support.cli import om_on_terminal, run_om

READABLE = {"red", "green", "magenta"}
STYLES = re.compile(r"\x1b\[([0-9;]*)m")
HARD_TO_READ = {"33", "93", "34", "97", "37", "30", "96", "92"}


def test_tones_are_readable_on_white_and_on_black() -> None:
    assert {tone.value for tone in Tone} <= READABLE


def test_no_command_uses_another_style(station: redis.Redis) -> None:
    assert run_om("migrate-data", "run").code in (0, 3)
    for words in ("run --yes", "status", "stats", "verify --check-data", "errors"):
        used = STYLES.findall(om_on_terminal("migrate-data", *words.split()).raw.decode(errors="replace"))
        parts = {part for style in used for part in style.split(";")}
        assert not parts & HARD_TO_READ, (words, used)
        assert "38" not in parts, (words, used)  # of a palette of 256 or more
