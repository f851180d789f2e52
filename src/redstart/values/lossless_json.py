"""JSON exactly as RedisJSON returns it, read and written without changing a byte.

Numbers stay text: a float would lose digits, and `1e16` or `100.0` would be spelled differently. Text is written in the
compact format of RedisJSON (serde_json): no white space, minimal escapes, UTF-8.
"""

import json
import math
from collections.abc import Callable
from fractions import Fraction
from json.encoder import encode_basestring
from typing import Final, TypeAlias, assert_never

from redstart.errors import ValueConversionError


class JsonNumber(str):
    """A number in its original spelling. It is not a JSON string: test for this class before `str`."""

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
    """Return the text that RedisJSON writes for `value`: `json_text(parse_json(t)) == t` for a reply to JSON.GET."""
    if type(value) is str:  # nearly every value of a run; the general path takes three times as long
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
    """Return whether RedisJSON would return the same text for a number that is written back.

    Its parser multiplies or divides the digits by a power of ten, in floats, which is correct if both are exact (W.
    Clinger, "How to read floating point numbers accurately", 1990). The last digit of other numbers may change when
    they are written, and could not be restored.
    """
    if len(number) > 40:  # longer than any number RedisJSON writes
        return False
    mantissa, _, exponent = number.lower().partition("e")
    whole, _, fraction = mantissa.lstrip("+-").partition(".")
    power = int(exponent or 0) - len(fraction)
    return int(whole + fraction) < 2**53 and -22 <= power <= 22


SAFE_LENGTH: Final = 16
"""Text of this length without an exponent has at most 15 digits, which are read exactly."""

END_OF_DIGITS: Final = 2**64
LARGEST_POWER: Final = 308
POWERS: Final = [float(f"1e{power}") for power in range(LARGEST_POWER + 1)]
DIGITS_BELOW: Final = (18, 17, 19, 16, 15)
"""Numbers of digits after the first one to try, the best first. Others make no difference."""

EXACT_POWER: Final = 22
"""The largest power of ten that is exact."""


def exact_text(number: float) -> str:
    """Return the text to send: the shortest one if it is read exactly. RedisJSON reads it as `kept(number)`."""
    text = repr(number)
    if "e" not in text:
        if len(text) <= SAFE_LENGTH:
            return text
        whole, _, fraction = text.partition(".")
        if int(whole + fraction) / POWERS[len(fraction)] == number:  # like `parsed`, in a third of the time
            return text
    return _exact_text(number, text) or text


def kept(number: float) -> float:
    """Return the float that RedisJSON stores for `exact_text(number)`.

    It is the number itself, except for 1 in 400 with 17 digits.
    """
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
    """Return floats that are approximately the number, divided by a power of ten."""
    if abs(power) <= EXACT_POWER:
        return (size * 10.0**-power,)
    near = float(Fraction(size) * Fraction(10) ** -power)
    return near, math.nextafter(near, math.inf), math.nextafter(near, 0)


def _parts(text: str) -> tuple[int, int]:
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    return int(whole + fraction), int(exponent or 0) - len(fraction)
