"""Imports of redis-om inside a migration file, without an effect on other modules."""

import importlib
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

import redstart.aio.model.migrations.data
import redstart.model.model
from redstart.migrations.files.declarations import DATA
from redstart.migrations.files.loader import load_directory
from tests.migrations.files.conftest import Write

Install = Callable[[dict[str, str]], None]

THEIRS = {
    "aredis_om/__init__.py": "",
    "aredis_om/model/__init__.py": "",
    "aredis_om/model/migrations/__init__.py": "",
    "aredis_om/model/migrations/data.py": "class BaseMigration: made_by = 'redis-om'\n",
}
"""What is of interest of redis-om 1.x."""


def run(write: Write, text: str) -> str | None:
    """Execute a file; what went wrong."""
    path = write("20250101_000000_x.py", f"{textwrap.dedent(text)}\nraise SystemExit('done')\n")
    (problem,) = load_directory(path.parent, DATA).problems
    return None if problem.reason == "SystemExit: done" else problem.reason


@pytest.mark.parametrize(
    "text",
    [
        "from aredis_om.model.migrations.data import BaseMigration\nfound = BaseMigration",
        "from aredis_om.model.migrations import data\nfound = data.BaseMigration",
        "import aredis_om.model.migrations.data\nfound = aredis_om.model.migrations.data.BaseMigration",
        "import aredis_om.model.migrations.data as data\nfound = data.BaseMigration",
        "import aredis_om\nfound = aredis_om.BaseMigration",
        "from aredis_om import *\nfound = BaseMigration",
        "def found():\n    from aredis_om import BaseMigration\n    return BaseMigration\nfound = found()",
        "exec('from aredis_om import BaseMigration'); found = BaseMigration",
    ],
)
def test_every_form_of_import_finds_ours(write: Write, text: str) -> None:
    before = dict(sys.modules)
    expected = "from redstart.aio.redis_om_migrators import BaseMigration as ours\nassert found is ours"
    assert run(write, f"{text}\n{expected}") is None
    assert {name for name in sys.modules if "redis_om" in name} == {
        name for name in before if "redis_om" in name
    }


def test_sync_and_async_find_their_own_names(write: Write) -> None:
    text = """
    import redis_om, aredis_om, redstart, redstart.aio
    from redis_om.model.model import HashModel
    from aredis_om.model.model import HashModel as Async
    assert (redis_om, aredis_om) == (redstart, redstart.aio)
    assert HashModel is redstart.HashModel and Async is redstart.aio.HashModel is not HashModel
    """
    assert run(write, text) is None


def test_functions_find_ours_when_they_run_later(write: Write, directory: Path) -> None:
    write(
        "20250101_000000_x.py",
        """
        import aredis_om

        class Later(aredis_om.BaseMigration):
            migration_id = "later"

            async def up(self):
                from redis_om.model.model import NotFoundError
                return NotFoundError
        """,
    )
    up = load_directory(directory, DATA).migrations["later"].declaration(object()).up()
    with pytest.raises(StopIteration) as ended:
        up.send(None)
    assert ended.value.value is redstart.model.model.NotFoundError


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("import aredis_om.nothing", "Redstart has no equivalent of aredis_om.nothing"),
        (
            "from aredis_om.model.migrations.nothing import X",
            "no equivalent of aredis_om.model.migrations.nothing",
        ),
        ("from aredis_om import Nothing", "ImportError: cannot import name 'Nothing'"),
        ("import nothing_of_the_kind", "ModuleNotFoundError: No module named 'nothing_of_the_kind'"),
        ("import aredis_om_plus", "ModuleNotFoundError: No module named 'aredis_om_plus'"),
        ("from . import helpers", "ImportError: attempted relative import with no known parent package"),
    ],
)
def test_missing_names_are_reported(write: Write, statement: str, reason: str) -> None:
    assert reason in (run(write, statement) or "")


def test_where_redis_om_is_installed_files_find_it(write: Write, directory: Path, install: Install) -> None:
    install(THEIRS)
    write(
        "20250101_000000_x.py",
        "import aredis_om\nfrom aredis_om.model.migrations.data import BaseMigration\n"
        "class Theirs(BaseMigration):\n    migration_id = 'theirs'\n",
    )
    found = load_directory(directory, DATA)
    assert found.problems == ()
    assert found.migrations["theirs"].declaration.made_by == "redis-om"
    assert sys.modules["aredis_om"].__file__ != redstart.aio.__file__


def test_what_an_old_one_lacks_is_ours(write: Write, install: Install) -> None:
    """redis-om 0.x has no migrations."""
    install({"aredis_om/__init__.py": "version = '0.3.5'\n", "aredis_om/model/__init__.py": ""})
    text = """
    import aredis_om
    from aredis_om.model.migrations.data import BaseMigration
    import redstart.aio
    assert aredis_om.version == '0.3.5' and BaseMigration is redstart.aio.BaseMigration
    """
    assert run(write, text) is None


def test_one_that_is_broken_is_not_replaced(write: Write, install: Install) -> None:
    install({"aredis_om/__init__.py": "import its_dependency\n"})
    assert "No module named 'its_dependency'" in (run(write, "import aredis_om") or "")


def test_modules_of_the_application_find_the_real_one_or_none(write: Write, install: Install) -> None:
    install({"catalogue_models.py": "import redis_om\nNAME = redis_om.__name__\n"})
    found = run(write, "import redis_om\nimport catalogue_models")
    assert found is not None
    assert "No module named 'redis_om'" in found
    assert "catalogue_models.py, line 1" in found
    install({"redis_om/__init__.py": ""})
    assert run(write, "import catalogue_models\nassert catalogue_models.NAME == 'redis_om'") is None


def test_the_usual_import_is_as_it_was(write: Write) -> None:
    assert run(write, "import aredis_om") is None
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("aredis_om")
    with pytest.raises(ModuleNotFoundError):
        exec("import redis_om")
