"""The template against the general packer of hiredis: they must agree on every byte."""

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redstart.commands.documents import hmget_command, json_get_command
from redstart.commands.resp import KeyedCommand, packed_batch

WORDS = st.text(st.characters(codec="utf-8"), max_size=30)
KEYS = st.lists(st.binary(max_size=20), max_size=20) | st.lists(
    st.binary(min_size=9, max_size=9), max_size=20
)


@given(name=WORDS, key=st.binary(max_size=200), tail=st.lists(WORDS, max_size=8))
def test_a_keyed_command_is_what_a_general_packer_makes(name: str, key: bytes, tail: list[str]) -> None:
    assert KeyedCommand(name, tail).pack(key) == hiredis.pack_command((name, key, *tail))


@pytest.mark.parametrize("length", [0, 1, 9, 10, 99, 100, 99_999, 100_000])
def test_lengths_of_every_number_of_digits(length: int) -> None:
    key = b"\r\n" * (length // 2) + b"$" * (length % 2)
    assert KeyedCommand("GET", ()).pack(key) == hiredis.pack_command(("GET", key))


@given(keys=KEYS, fields=st.lists(WORDS, min_size=1, max_size=3))
def test_a_batch_is_its_commands_one_after_the_other(keys: list[bytes], fields: list[str]) -> None:
    command = hmget_command(fields)
    request = packed_batch([command.pack_all(keys)], len(keys))
    assert request.packed == b"".join(hiredis.pack_command(("HMGET", key, *fields)) for key in keys)
    assert request.replies == len(keys)


def test_names() -> None:
    assert json_get_command(["$.a", "$.b"]).pack(b"k") == hiredis.pack_command(
        ("JSON.GET", b"k", "$.a", "$.b")
    )
