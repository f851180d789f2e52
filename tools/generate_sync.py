"""Writes src/redstart/sync/ from src/redstart/aio/, without `await`: `python -m tools.generate_sync`.

A test compares the result with what is committed, so that neither can be changed alone.
"""

import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PACKAGES = REPOSITORY / "src" / "redstart"

MARK = "# Generated from redstart/aio/{}: change that, then `python -m tools.generate_sync`.\n"

WORDS = {
    "await ": "",
    "async def": "def",
    "async for": "for",
    "async with": "with",
    "redis.asyncio": "redis",
    "redstart.aio": "redstart.sync",
    "import async_client": "import sync_client",
    "return async_client": "return sync_client",
    "async_executor": "sync_executor",
    "AsyncIterator": "Iterator",
    "AsyncExecutor": "SyncExecutor",
    "__aiter__": "__iter__",
    "of asyncio": "of threads",
    "for asyncio": "for plain functions",
    "coroutines": "functions",
    "# for threads: ": "",
    "ASYNC_MODE = True": "ASYNC_MODE = False",
}
"""Differences between sync and async, in code and in documentation."""

_WORD = re.compile("|".join(rf"(?<!\w){re.escape(word)}" + r"(?!\w)" * word[-1].isalpha() for word in WORDS))


def generated() -> dict[str, str]:
    """Return the files of the sync package, by name."""
    sources = {
        path.name: path.read_text(encoding="utf-8") for path in sorted((PACKAGES / "aio").glob("*.py"))
    }
    return {
        name: _synchronous(name, source)
        for name, source in sources.items()
        if not source.startswith("# Generated")
    }


def _synchronous(name: str, source: str) -> str:
    text = MARK.format(name) + _WORD.sub(lambda found: WORDS[found[0]], source)
    return formatted(text, f"src/redstart/sync/{name}")  # lines are shorter now, and imports in another order


def formatted(text: str, path: str) -> str:
    """Format a file with ruff."""
    for command in (["check", "--select", "I", "--fix-only"], ["format"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--quiet", "--stdin-filename", path, "-"]
        done = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True, cwd=REPOSITORY)
        text = done.stdout
    return text


def main() -> None:
    """Write the files, and remove those that have no source any more."""
    files = generated()
    folder = PACKAGES / "sync"
    for path in folder.glob("*.py"):
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
