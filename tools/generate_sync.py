"""Generate the sync package and its tests from the async ones: `python -m tools.generate_sync`.

The files in src/redstart/sync/, and those of tests/sync/ that `TESTS` names, are the same source without `await`. A
test compares the result with the committed files, so that neither can be changed alone.
"""

import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
RUFF = str(Path(sys.executable).with_name("ruff"))
"""`python -m ruff` starts it as well, and takes several times as long."""
PACKAGES = REPOSITORY / "src" / "redstart"

TESTS = ("test_checks.py", "test_redis_om_migrators.py", "test_find.py", "test_models.py")
"""Files of tests/aio/ that hold for both packages; the others test asyncio itself, or both packages at once."""

MARK = "# Generated from {}: change that, then `python -m tools.generate_sync`.\n"

WORDS = {
    "await ": "",
    "async def": "def",
    "async for": "for",
    "async with": "with",
    "redis.asyncio": "redis",
    "redstart.aio": "redstart.sync",
    "tests.aio": "tests.sync",
    "import async_client": "import sync_client",
    "return async_client": "return sync_client",
    "async_executor": "sync_executor",
    "AsyncIterator": "Iterator",
    "AsyncExecutor": "SyncExecutor",
    "__aiter__": "__iter__",
    "aclose": "close",
    "of asyncio": "of threads",
    "for asyncio": "for plain functions",
    "coroutines": "functions",
    "# for threads: ": "",
    "ASYNC_MODE = True": "ASYNC_MODE = False",
}
"""Differences between sync and async, in code and in documentation."""

_WORD = re.compile("|".join(rf"(?<!\w){re.escape(word)}" + r"(?!\w)" * word[-1].isalpha() for word in WORDS))


def generated() -> dict[str, str]:
    """Return the text of each generated file by its path in the repository."""
    package = [path for path in (PACKAGES / "aio").glob("*.py") if not is_generated(path)]
    tests = [REPOSITORY / "tests" / "aio" / name for name in TESTS]
    return dict(_synchronous(path) for path in sorted([*package, *tests]))


def committed() -> dict[str, str]:
    """Return the text of each generated file that exists by its path in the repository."""
    folders = (PACKAGES / "sync", REPOSITORY / "tests" / "sync")
    paths = sorted(path for folder in folders for path in folder.glob("*.py") if is_generated(path))
    return {str(path.relative_to(REPOSITORY)): path.read_text(encoding="utf-8") for path in paths}


def is_generated(path: Path) -> bool:
    """Return whether a file is the result of a generator."""
    return path.read_text(encoding="utf-8").startswith("# Generated")


def _synchronous(source: Path) -> tuple[str, str]:
    name = str(source.relative_to(REPOSITORY))
    code = _WORD.sub(lambda found: WORDS[found[0]], source.read_text(encoding="utf-8"))
    path = name.replace("/aio/", "/sync/")
    text = MARK.format(name.removeprefix("src/")) + code
    return path, formatted(text, path)  # lines are shorter now, and imports in another order


def formatted(text: str, path: str) -> str:
    """Format a file with ruff."""
    for command in (["check", "--select", "I", "--fix-only"], ["format"]):
        ruff = [RUFF, *command, "--quiet", "--stdin-filename", path, "-"]
        done = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True, cwd=REPOSITORY)
        text = done.stdout
    return text


def main() -> None:
    """Write the files, and remove those that have no source any more."""
    files = generated()
    for name in committed().keys() - files.keys():
        (REPOSITORY / name).unlink()
    for name, text in files.items():
        (REPOSITORY / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
