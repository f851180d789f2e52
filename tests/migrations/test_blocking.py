"""Values that keep a document out of a numeric index: compared with the server."""

import os
import time

import redis
from hypothesis import example, given, settings
from hypothesis import strategies as st

from redstart.migrations.blocking import rejected_members
from redstart.search.schema import FieldKind, IndexField
from redstart.values.types import Storage
from tests.support.servers import TEST_SERVER, Server
from tests.support.soak import SOAK

NUMBERS = st.from_regex(
    rb"[-+]?([0-9]{0,20}\.?[0-9]{0,20}([eE][-+]?[0-9]{0,3})?|[iI][nN][fF]([iI]nity)?|nan)", fullmatch=True
)
SPOILED = st.builds(
    lambda before, text, after: before + text + after,
    st.sampled_from([b"", b" ", b"\t", b"0x", b"--"]),
    NUMBERS,
    st.sampled_from([b"", b" ", b"\n", b"\0", b"_0", b"f", b"e", b"\xff"]),
)
DIFFICULT = [
    *(
        b"1_0",
        b" 1",
        b"1 ",
        b"1\n",
        b"inf",
        b"-inf",
        b"+Infinity",
        b"nan",
        b"NAN",
        b"nan(1)",
        b"0x10",
        b"1e400",
    ),
    *(
        b"-1e400",
        b"1e-400",
        b"0e-400",
        b"1e-310",
        b"2.3e-308",
        "\u0661".encode(),
        b"1.",
        b".5",
        b".",
        b"",
        b"1e",
        b"1,5",
    ),
]


@settings(max_examples=200 if SOAK else 5)
@example(DIFFICULT)
@given(st.lists(st.one_of(NUMBERS, SPOILED, st.binary(max_size=4)), min_size=20, max_size=50))
def test_text_of_a_hash_is_a_number_for_the_server_too(server: Server, texts: list[bytes]) -> None:
    client = redis.Redis.from_url(server.url, protocol=2)
    client.flushdb()
    client.execute_command(
        *[
            "FT.CREATE",
            "blocked",
            "ON",
            "HASH",
            "PREFIX",
            "1",
            "b:",
            "SCHEMA",
            "number",
            "NUMERIC",
            "all",
            "TAG",
        ]
    )
    if (
        os.environ.get(TEST_SERVER) == "redis-8"
    ):  # it accepts hexadecimal numbers, of which a prediction warns
        texts = [text for text in texts if b"x" not in text.lower()]
    for number, text in enumerate(texts):
        client.hset(f"b:{number}", mapping={"number": text, "all": "x"})
    while dict(zip(*[iter(client.execute_command("FT.INFO", "blocked"))] * 2, strict=True))[
        b"indexing"
    ] not in (0, b"0"):
        time.sleep(0.01)
    _, *found = client.execute_command("FT.SEARCH", "blocked", "@all:{x}", "NOCONTENT", "LIMIT", 0, 1000)
    field = IndexField("number", "number", FieldKind.NUMERIC)
    accepted = {
        f"b:{number}".encode()
        for number, text in enumerate(texts)
        if not rejected_members({"number": text}, field, Storage.HASH)
    }
    assert set(found) == accepted, {texts[int(key[2:])] for key in set(found) ^ accepted}
