"""Every Lua script compiles, uses no global variables of its own, and says which keys and arguments it takes."""

import re
from pathlib import Path

import lupa.lua51
import pytest

import redstart
from redstart.commands.scripts import load
from redstart.commands.server_errors import ScriptErrorCode
from tests.support.lua_bytecode import globals_of

FILES = sorted((Path(redstart.__file__).parent / "lua").glob("*.lua"))
OF_THE_SERVER = {
    *("redis", "cmsgpack", "cjson", "KEYS", "ARGV"),
    *("string", "table", "math", "os", "bit"),
    *("ipairs", "pairs", "next", "select", "tonumber", "tostring", "type", "unpack", "pcall", "error"),
}
"""What scripts may read."""

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


def header(text: str) -> str:
    """The comment lines at the beginning."""
    return "\n".join(re.findall(r"\A(?:--.*\n)+", text))


def code(text: str) -> str:
    """The text without its comments."""
    return re.sub(r"--.*", "", text)


def parts(path: Path) -> list[str]:
    """The files that make a script: those that its header says it comes after, and itself."""
    first = re.match(r"-- After ([^:]+):", header(path.read_text(encoding="utf-8")))
    return [*(re.findall(r"\w+\.lua", first[1]) if first else []), path.name]


@every_file
def test_it_compiles_and_all_its_names_are_declared(path: Path) -> None:
    used = globals_of(load(*parts(path)).source)
    assert used.assigned == {}, "declare it with local"
    assert {name: lines for name, lines in used.read.items() if name not in OF_THE_SERVER} == {}


@every_file
def test_its_header_names_its_keys_and_arguments(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for table in ("KEYS", "ARGV"):
        if re.search(rf"\b{table}\b", code(text)):
            assert re.search(rf"\b{table}\b", header(text)), (
                f"say in its first lines what it finds in {table}"
            )


@every_file
def test_its_errors_have_codes_that_callers_recognize(path: Path) -> None:
    found = re.findall(r"error_reply\('(\w+)", code(path.read_text(encoding="utf-8")))
    assert set(found) <= {one.value for one in ScriptErrorCode}


def test_every_code_is_one_of_a_script() -> None:
    texts = [code(path.read_text(encoding="utf-8")) for path in FILES]
    assert [
        one for one in ScriptErrorCode if not any(f"error_reply('{one.value} " in text for text in texts)
    ] == []


def test_the_check_finds_what_it_looks_for() -> None:
    inside = "local function f()\n  if KEYS then\n    forgotten = 1\n  end\nend\nreturn f, misspelt"
    used = globals_of(inside)
    assert used.assigned == {"forgotten": [3]}
    assert used.read == {"KEYS": [2], "misspelt": [6]}
    with pytest.raises(lupa.lua51.LuaError, match="'end' expected"):
        globals_of("if true then")
