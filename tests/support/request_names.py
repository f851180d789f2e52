"""What a request is, as a name: so that a test can say at which kinds of request it has crashed a program."""

from functools import cache
from typing import Any

import hiredis
import msgpack

from redstart.commands.scripts import Script, load
from redstart.effects import Batch, Call
from redstart.migrations.data import applier
from redstart.migrations.indexes import swap


def name_of(request: Call[Any] | Batch[Any]) -> str:
    """The command's first word; of a batch its distinct first words; of a script what it does.

    `EVALSHA commit SADD`, `EVAL apply journaled`, `[HMGET JSON.GET]`.

    Raises:
        LookupError: a script that is not listed here.
    """
    if isinstance(request, Call):
        return _call_name([_bytes(word) for word in request.args])
    calls = [[_bytes(word) for word in call] for call in request.calls]
    if request.packed is not None:
        calls = _unpacked(request.packed)
    return f"[{' '.join(sorted({call[0].decode() for call in calls}))}]"


def _call_name(words: list[bytes]) -> str:
    command = words[0].decode()
    if command not in ("EVAL", "EVALSHA"):
        return command
    digest = words[1].decode() if command == "EVALSHA" else Script.of(words[1].decode()).sha1
    script = _scripts().get(digest)
    if script is None:
        raise LookupError(f"a script that tests/support/request_names.py does not know: {digest}")
    arguments = words[3 + int(words[2]) :]
    return f"{command} {script} {_detail(script, arguments)}".rstrip()


def _detail(script: str, arguments: list[bytes]) -> str:
    if script == "commit":
        commands = msgpack.unpackb(arguments[3], raw=True)
        return "+".join(command[0].decode() for command in commands) or "(renew)"
    if script == "apply":
        return "journaled" if arguments[4] else "undo"
    return ""


@cache
def _scripts() -> dict[str, str]:
    scripts = {
        "acquire": load("acquire.lua"),
        "release": load("release.lua"),
        "commit": load("fenced.lua", "same_server.lua", "commit.lua"),
        "apply": applier._script(),
        **{name: load(f"{name}.lua") for name in ("read_values", "whole")},
        **{
            name: load("drop_index.lua", f"{name}.lua")
            for name in ("probe_filter", "probe_definition", "probe_temporary")
        },
        **{name: load(f"{name}.lua") for name in ("save_hash", "update_json")},
        **{name: load("fenced.lua", f"{name}.lua") for name in ("move_keys", "restore_documents")},
        **{
            name: load("fenced.lua", "document_state.lua", f"{name}.lua")
            for name in ("remove_documents", "replace_documents", "restore_replaced", "read_replaced")
        },
        "read_documents": load("document_state.lua", "read_documents.lua"),
        **{
            name: swap.fenced_script(f"{name}.lua")
            for name in ("swap", "drop", "remove_alias", "create", "mark_settled")
        },
    }
    return {script.sha1: name for name, script in scripts.items()}


def _unpacked(data: bytes) -> list[list[bytes]]:
    # A command is sent as an array of strings, which a reader of replies understands as well.
    reader = hiredis.Reader()
    reader.feed(data)
    commands = []
    while (command := reader.gets()) is not False:
        commands.append(command)
    return commands


def _bytes(word: bytes | str | float) -> bytes:
    return word if isinstance(word, bytes) else str(word).encode()
