"""JSON exactly as RedisJSON answers it, read and written without changing a byte.

Numbers stay text: a float would lose digits, and `1e16` or `100.0` would come back spelled otherwise. Writing
is RedisJSON's compact form (serde_json): no white space, only what must be escaped is, the rest is UTF-8.
"""

import json
import math
from collections.abc import Callable
from fractions import Fraction
from json.encoder import encode_basestring
from typing import Final, TypeAlias, assert_never

from redstart.errors import ValueConversionError


class JsonNumber(str):
    """A number as it was spelled. It is not a JSON string: test for this class before `str`."""

    __slots__ = ()


JsonValue: TypeAlias = "bool | str | JsonNumber | list[JsonValue] | dict[str, JsonValue] | None"


def _refuse_constant(name: str) -> JsonValue:
    raise ValueConversionError(f"{name} is not JSON")


_decode: Callable[[str], JsonValue] = json.JSONDecoder(
    parse_float=JsonNumber, parse_int=JsonNumber, parse_constant=_refuse_constant
).decode


def parse_json(text: bytes) -> JsonValue:
    """Return the parsed reply to JSON.GET, with every number as its text.

    Raises:
        ValueConversionError: not UTF-8, not JSON, or nested too deeply to be read.
    """
    try:
        return _decode(text.decode())
    except UnicodeDecodeError as exc:
        raise ValueConversionError("not valid UTF-8") from exc
    except json.JSONDecodeError as exc:
        raise ValueConversionError(f"not JSON: {exc}") from exc
    except RecursionError as exc:
        raise ValueConversionError("JSON is nested too deeply") from exc


def json_text(value: JsonValue) -> bytes:
    """Return the text RedisJSON writes for `value`: `json_text(parse_json(t)) == t` for what JSON.GET answers."""
    if type(value) is str:  # nearly every value of a run; the general way takes three times as long
        return encode_basestring(value).encode()
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts).encode()


def _write(value: JsonValue, write: Callable[[str], None]) -> None:
    if isinstance(value, str):
        write(value if isinstance(value, JsonNumber) else encode_basestring(value))
    elif isinstance(value, dict):
        separator = "{"
        for name, member in value.items():
            write(separator + encode_basestring(name) + ":")
            _write(member, write)
            separator = ","
        write("}" if value else "{}")
    elif isinstance(value, list):
        separator = "["
        for item in value:
            write(separator)
            _write(item, write)
            separator = ","
        write("]" if value else "[]")
    elif value is None:
        write("null")
    elif isinstance(value, bool):
        write("true" if value else "false")
    else:
        assert_never(value)


def restores_exactly(number: JsonNumber) -> bool:
    """Return whether RedisJSON, sent a number it answered, would answer that text again.

    Its parser multiplies or divides the digits by a power of ten, in floats: right as long as both are exact
    (W. Clinger, "How to read floating point numbers accurately", 1990). Other numbers may change in the last
    digit when they are sent, so once rewritten they could not be brought back.
    """
    if len(number) > 40:  # longer than any number RedisJSON writes
        return False
    mantissa, _, exponent = number.lower().partition("e")
    whole, _, fraction = mantissa.lstrip("+-").partition(".")
    power = int(exponent or 0) - len(fraction)
    return int(whole + fraction) < 2**53 and -22 <= power <= 22


SAFE_LENGTH: Final = 16
"""No text that is as short, without an exponent, has more than 15 digits; those are read exactly."""

END_OF_DIGITS: Final = 2**64
LARGEST_POWER: Final = 308
POWERS: Final = [float(f"1e{power}") for power in range(LARGEST_POWER + 1)]
DIGITS_BELOW: Final = (18, 17, 19, 16, 15)
"""How many digits to write behind the first, the best first; others make no difference (tried on 100,000 floats)."""

EXACT_POWER: Final = 22
"""Up to here powers of ten are exact."""


def exact_text(number: float) -> str:
    """Return the text to send; the shortest one where that is read exactly. It reads as `kept(number)`."""
    text = repr(number)
    if "e" not in text:
        if len(text) <= SAFE_LENGTH:
            return text
        whole, _, fraction = text.partition(".")
        if int(whole + fraction) / POWERS[len(fraction)] == number:  # as `parsed`, in a third of the time
            return text
    return _exact_text(number, text) or text


def kept(number: float) -> float:
    """Return the float that RedisJSON keeps of `exact_text(number)`: the number, but for 1 in 400 with 17 digits."""
    text = repr(number)
    if _is_short(text) or not math.isfinite(number) or _exact_text(number, text) is not None:
        return number
    return math.copysign(parsed(*_parts(text.lstrip("-"))), number)


def parsed(digits: int, power: int) -> float:
    """Return the float that RedisJSON parses from digits and a power of ten."""
    number = float(digits)
    while power < -LARGEST_POWER:
        number, power = number / 1e308, power + LARGEST_POWER
    return number * POWERS[power] if power >= 0 else number / POWERS[-power]


def _is_short(text: str) -> bool:
    return len(text) <= SAFE_LENGTH and "e" not in text


def _exact_text(number: float, shortest: str) -> str | None:
    size, sign = (number, "") if number > 0 else (-number, "-")
    if parsed(*_parts(shortest.lstrip("-"))) == size:
        return shortest
    magnitude = math.floor(math.log10(size))
    for power in (magnitude - below for below in DIGITS_BELOW):
        for candidate in _candidates(size, power):
            if candidate < END_OF_DIGITS and parsed(int(candidate), power) == size:
                return f"{sign}{int(candidate)}e{power}"
    return None


def _candidates(size: float, power: int) -> tuple[float, ...]:
    """Return floats that are, times a power of ten, about the number."""
    if abs(power) <= EXACT_POWER:
        return (size * 10.0**-power,)
    near = float(Fraction(size) * Fraction(10) ** -power)
    return near, math.nextafter(near, math.inf), math.nextafter(near, 0)


def _parts(text: str) -> tuple[int, int]:
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    return int(whole + fraction), int(exponent or 0) - len(fraction)
