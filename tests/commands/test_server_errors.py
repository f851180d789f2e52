"""Which error of a server means what: the errors are those of a real server."""

import ast
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

import redstart
from redstart.commands import server_errors
from redstart.commands.scripts import Script
from redstart.commands.server_errors import ScriptErrorCode, max_results, script_error_code, unknown_command
from redstart.effects import Call, call
from redstart.errors import CommandError
from redstart.server.clients import open_sync
from tests.support.servers import TEST_SERVER

SOURCE = Path(redstart.__file__).parent
THE_MODULE = SOURCE / "commands" / "server_errors.py"

Words = tuple[str | int, ...]

INDEX: Words = ("FT.CREATE", "i", "ON", "HASH", "PREFIX", 1, "p:", "SCHEMA", "n", "NUMERIC")
PREDICATES: dict[str, list[Words]] = {
    "is_noscript": [("EVALSHA", "0" * 40, 0)],
    "is_wrong_type": [("HGETALL", "text"), ("JSON.GET", "text"), ("LPUSH", "text", "x")],
    "is_unknown_index": [
        ("FT.SEARCH", "nowhere", "*"),
        ("FT.INFO", "nowhere"),
        ("FT.AGGREGATE", "nowhere", "*"),
    ],
    "is_index_exists": [INDEX],
    "is_not_temporary_index": [("FT.DEBUG", "TTL", "i")],
    "is_unknown_key_type": [("SCAN", 0, "TYPE", "nothing")],
    "has_no_code": [
        ("FT.SEARCH", "i", "@n:["),
        ("EXPIRE", "text", "soon"),
        ("NO.SUCH", "x"),
    ],
}
"""By predicate, the commands whose error it recognizes."""

ACCEPTED: dict[str, list[Words]] = {"redis-8": [("SCAN", 0, "TYPE", "nothing")]}
"""By server of `make test-servers`, those of these commands that it does not refuse."""


@pytest.fixture
def error_of(url: str, client: redis.Redis) -> Callable[[Words], CommandError]:
    client.set("text", "x")
    client.execute_command(*INDEX)

    def refused(words: Words) -> CommandError:
        with open_sync(url) as driver, pytest.raises(CommandError) as caught:
            driver.run(call(Call(words, lambda reply: reply)))
        return caught.value

    return refused


@pytest.mark.parametrize("name", PREDICATES)
def test_a_predicate_recognizes_its_errors_and_no_others(
    name: str, error_of: Callable[[Words], CommandError]
) -> None:
    predicate = getattr(server_errors, name)
    for other, commands in PREDICATES.items():
        for words in commands:
            if words in ACCEPTED.get(os.environ.get(TEST_SERVER, ""), []):
                continue
            error = error_of(words)
            if other == name:
                assert predicate(error), error
            elif name != "has_no_code":  # the others may have a code, or none
                assert not predicate(error), error


def test_a_query_for_too_many_results(error_of: Callable[[Words], CommandError]) -> None:
    assert max_results(error_of(("FT.SEARCH", "i", "*", "LIMIT", 0, 1_000_001))) == 1_000_000
    assert max_results(error_of(("FT.SEARCH", "nowhere", "*"))) is None


def test_an_unknown_command_has_a_name(error_of: Callable[[Words], CommandError]) -> None:
    assert unknown_command(error_of(("NO.SUCH", "x"))) == "NO.SUCH"
    in_script = error_of(("EVAL", "return redis.call('NO.SUCH')", 0))
    assert unknown_command(in_script) is not None
    assert unknown_command(error_of(("HGETALL", "text"))) is None


def test_a_database_that_the_server_does_not_have(error_of: Callable[[Words], CommandError]) -> None:
    assert server_errors.is_database_out_of_range(str(error_of(("SELECT", 10_000))))
    assert not server_errors.is_database_out_of_range(str(error_of(("SELECT", "x"))))


def test_a_replica_refuses_to_write(client: redis.Redis, error_of: Callable[[Words], CommandError]) -> None:
    client.replicaof("127.0.0.1", 1)
    try:
        refused = error_of(("SET", "text", "y"))
    finally:
        client.replicaof("NO", "ONE")
    assert server_errors.is_read_only(refused)
    assert server_errors.is_refusal(refused)
    assert not server_errors.is_temporary(refused)
    assert not server_errors.is_read_only(error_of(("HGETALL", "text")))


@pytest.mark.parametrize("code", ScriptErrorCode)
def test_the_errors_of_own_scripts(code: ScriptErrorCode, error_of: Callable[[Words], CommandError]) -> None:
    script = Script.of(f"return redis.error_reply('{code.value} and more')")
    assert script_error_code(error_of(("EVAL", script.source, 0))) is code
    assert script_error_code(error_of(("HGETALL", "text"))) is None


def test_only_one_module_compares_codes_and_texts_of_the_server() -> None:
    """The tests of `code` and of words in `message` that Python's syntax tree shows."""
    others = set(SOURCE.rglob("*.py")) - {THE_MODULE}
    assert len(others) > 300
    found = [
        f"{path}: {ast.unparse(node)}"
        for path in sorted(others)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare) and any(map(is_of_an_error, (node.left, *node.comparators)))
    ]
    assert not found, "use a predicate of redstart.commands.server_errors"


def is_of_an_error(node: ast.expr) -> bool:
    """Whether an expression is the code or the text of an error."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in ("lower", "upper") and is_of_an_error(node.func.value)
    return isinstance(node, ast.Attribute) and node.attr in ("code", "message")
