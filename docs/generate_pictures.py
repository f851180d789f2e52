"""Writes the pictures of terminals in docs/pictures. They show commands that run on a temporary server.

python docs/generate_pictures.py
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

# As a script, and as a module of the tests.
sys.path.insert(0, str(Path(__file__).parents[1]))

import redis
from docs.terminal import picture, run_on_terminal

from redstart.demo.tour import is_in_the_middle
from redstart.devserver.process import EmbeddedServer
from redstart.migrations.data.checkpoint import load_checkpoint
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.state_keys import StateKeys
from redstart.server.clients import open_sync

DOCS = Path(__file__).parent
DIRECTORY = DOCS / "pictures"
COLUMNS = 100
WIDE = 2_000
"""Columns of the terminal: no command wraps a line, and the picture breaks all of them in the same way."""

OM = [sys.executable, "-c", "import sys; sys.argv[0] = 'om'; from redstart.cli.main import main; main()"]
"""The command, with the name that a user types: `status` shows it of a run."""
POLL_SECONDS = 0.01

VISITS = 500
FAILED = range(100, 103)
MODELS = '''\
"""The visits of a shop."""

from datetime import datetime

from redstart import Field, HashModel


class Visit(HashModel, index=True):
    """One visit."""

    shop: str = Field(index=True)
    arrived_at: datetime = Field(index=True)
    left_at: datetime | None = Field(index=True, default=None)

    class Meta:
        global_key_prefix = "shop"
        model_key_prefix = "visit"
'''
OLD_INDEX = "FT.CREATE shop:visit:index ON HASH PREFIX 1 shop:visit: SCHEMA pk TAG shop TAG arrived_at TAG left_at TAG"

RENAME = '''\
"""Rename the customer of orders to buyer."""

from redstart.operations import Migration, RenameField

migration = Migration(
    dependencies=["20260101_000000_initial"],
    operations=[RenameField("shop.Order", "customer", "buyer")],
)
'''


class Terminal:
    """A terminal in an empty directory, with the settings of a server."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url = url
        self.directory = directory
        self.settings = {"REDIS_OM_URL": url}

    def om(self, words: str, *, exit_code: int = 0) -> list[str]:
        """Type a command. Return the prompt and what is printed, with colours."""
        command = [*OM, *words.split()]
        printed = run_on_terminal(
            command, WIDE, environment=self.settings, directory=self.directory, expected_code=exit_code
        )
        return [f"$ om {words}", *printed]

    def store_visits(self) -> None:
        """Store documents with dates as text, of which some are not dates, and their index as of redis-om 0.x."""
        (self.directory / "visits.py").write_text(MODELS, encoding="utf-8")
        self.settings["REDSTART_MODELS"] = "visits"
        with redis.Redis.from_url(self.url) as client:
            client.execute_command(*OLD_INDEX.split())
            for number in range(VISITS):
                arrived = "N/A" if number in FAILED else "2024-05-01T10:00:00+00:00"
                visit = {"pk": str(number), "shop": "Bonn", "arrived_at": arrived}
                if number % 2:
                    visit["left_at"] = "2024-05-01T11:30:00+00:00"
                client.hset(f"shop:visit:{number}", mapping=visit)


def dry_run(terminal: Terminal) -> list[str]:
    """Preview the conversion of dates."""
    terminal.store_visits()
    return terminal.om("migrate-data run --dry-run")


def refused_cutover(terminal: Terminal) -> list[str]:
    """Convert dates, some of which cannot be converted."""
    terminal.store_visits()
    return terminal.om("migrate-data run --yes", exit_code=3)


def status_during_run(terminal: Terminal) -> list[str]:
    """Show the status while another process converts. That process is suspended meanwhile."""
    terminal.store_visits()
    with (
        open_sync(terminal.url) as driver,
        subprocess.Popen(
            [*OM, "migrate-data", "run", "--yes", "--batch-size", "5"],
            env=os.environ | terminal.settings,
            cwd=terminal.directory,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        try:
            while (found := driver.run(load_checkpoint(StateKeys(DATETIME_MIGRATION)))) is None or not (
                is_in_the_middle(found)
            ):
                if process.poll() is not None:
                    raise RuntimeError("the run has ended before its status was read")
                time.sleep(POLL_SECONDS)
            process.send_signal(signal.SIGSTOP)
            return terminal.om("migrate-data status")
        finally:
            process.kill()


def upgrade(terminal: Terminal) -> list[str]:
    """Review the plan of a migration file, and apply it."""
    shutil.copytree(DOCS / "operations" / "example", terminal.directory, dirs_exist_ok=True)
    subprocess.run(
        [sys.executable, "seed.py"], cwd=terminal.directory, env=os.environ | terminal.settings, check=True
    )
    terminal.om("upgrade --yes")
    (terminal.directory / "migrations" / "20260102_000000_buyer.py").write_text(RENAME, encoding="utf-8")
    return [*terminal.om("migrate plan"), "", *terminal.om("upgrade --yes")]


PICTURES: Final[dict[str, Callable[[Terminal], list[str]]]] = {
    "dry-run": dry_run,
    "refused-cutover": refused_cutover,
    "status-during-run": status_during_run,
    "upgrade": upgrade,
}


def run(name: str) -> list[str]:
    """Run the commands of a picture on a server of their own. Return the lines of the terminal, with their colours."""
    with EmbeddedServer() as server, tempfile.TemporaryDirectory() as directory:
        return PICTURES[name](Terminal(server.url, Path(directory)))


def write() -> None:
    """Draw all pictures."""
    DIRECTORY.mkdir(exist_ok=True)
    for name in PICTURES:
        drawn = picture(run(name), title="om", name=name, columns=COLUMNS)
        (DIRECTORY / f"{name}.svg").write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    write()
