"""Write the public names into `redstart` and `redstart.aio`: `python -m tools.generate_names`.

They are those of `tools/public_names.py`. In each package the lines between `BEGIN` and `END` are replaced. The names
of `redstart.sync` come from those of `redstart.aio`: run `python -m tools.generate_sync` afterwards. A test compares
the result with what is committed.
"""

from tools.generate_sync import PACKAGES, formatted
from tools.public_names import PUBLIC, home_of

BEGIN = "# Generated: change tools/public_names.py, then `python -m tools.generate_names`.\n"
END = "# End of the generated lines.\n"

FILES = ("__init__.py", "aio/__init__.py")
"""The packages, by path in `redstart`."""


def generated() -> dict[str, str]:
    """Return the text of these packages by path."""
    return {path: _with_names(path, (PACKAGES / path).read_text(encoding="utf-8")) for path in FILES}


def _with_names(path: str, text: str) -> str:
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    names = _names_of_aio() if path.startswith("aio/") else _names_of_package()
    return formatted(f"{before}{BEGIN}{names}{END}{after}", f"src/redstart/{path}")


def _names_of_package() -> str:
    imports = [f"from redstart.sync import {name} as {name}" for name in PUBLIC if name != "redis"]
    return _block(["import redis as redis", *imports]) + _all()


def _names_of_aio() -> str:
    homes = {name: home_of(name, "aio") for name in PUBLIC if name != "redis"}
    imports = [f"from redstart.{home} import {own} as {name}" for name, (home, own) in homes.items()]
    table = "".join(f"{name!r}: 'redstart.{home}',\n" for name, (home, _) in homes.items())
    return _block(["import redis.asyncio as redis", *imports]) + f"_HOME_OF = {{\n{table}}}\n\n" + _all()


def _block(imports: list[str]) -> str:
    return "if TYPE_CHECKING:\n" + "".join(f"    {line}\n" for line in imports) + "\n"


def _all() -> str:
    return "__all__ = [\n" + "".join(f"{name!r},\n" for name in PUBLIC) + "]\n"


def main() -> None:
    """Write the names into the packages."""
    for path, text in generated().items():
        (PACKAGES / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
