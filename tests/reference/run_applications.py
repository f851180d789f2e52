"""Runs the programs in applications/, each on an empty database: what they print, and what is then under which key.

Run as `python run_applications.py redis_om URL`, or with `redstart`: then their imports are changed, and nothing else.
Prints a JSON object.
"""

import contextlib
import importlib
import io
import json
import os
import re
import sys
import traceback
import types
import warnings
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("applications")
ULID = re.compile(r"\b[0-9A-HJKMNP-TV-Z]{26}\b")


def source_for(library: str, path: Path) -> str:
    """The program, with redis-om's names replaced in its import statements alone."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    names = {"redis_om": library, "aredis_om": f"{library}.aio" if library == "redstart" else f"a{library}"}
    return "".join(
        re.sub(r"\ba?redis_om\b", lambda found: names[found[0]], line)
        if line.startswith(("from redis_om", "from aredis_om", "import redis_om", "import aredis_om"))
        else line
        for line in lines
    )


def run(library: str, path: Path) -> str:
    """What a program prints; its traceback if it ends with one."""
    module = types.ModuleType(path.stem)
    sys.modules[path.stem] = module
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(source_for(library, path), str(path), "exec"), module.__dict__)
            module.main()
        except Exception:  # noqa: BLE001 - whatever it is, it is compared
            printed.write(traceback.format_exc())
    return ULID.sub("ULID", printed.getvalue())


def stored(client: Any) -> "dict[str, Any]":
    """Every key and what it holds: documents, and the hash of each index; not the other notes on indexes."""
    found = {}
    for key in sorted(client.scan_iter()):
        kind = client.type(key)
        if key.endswith((":index:schema", "machines:schema")) or key.startswith("redstart:"):
            continue
        if kind in ("hash", "ReJSON-RL"):
            is_hash = kind == "hash"
            held = client.hgetall(key) if is_hash else json.loads(client.execute_command("JSON.GET", key))
            # redis-om adds one at random where a model has a primary key of its own.
            found[key] = {
                name: value for name, value in held.items() if name != "pk" or not ULID.match(str(value))
            }
        else:
            found[key] = [kind, client.get(key) if kind == "string" else None]
    return found


def main() -> None:
    """Run them all."""
    import redis  # noqa: PLC0415 - after the settings

    library, url = sys.argv[1:]
    client = redis.Redis.from_url(url, decode_responses=True)
    found = {}
    for path in sorted(FOLDER.glob("*.py")):
        client.execute_command("FLUSHALL", "SYNC")
        packages = [library] if library == "redstart" else [library, f"a{library}"]
        for package in packages:
            importlib.import_module(f"{package}.model.model").model_registry.clear()
        found[path.stem] = {"printed": run(library, path).splitlines(), "keys": stored(client)}
    print(json.dumps(found))


if __name__ == "__main__":
    os.environ["REDIS_OM_URL"] = sys.argv[2]
    os.environ["TZ"] = "UTC"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
