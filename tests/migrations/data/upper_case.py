"""A second data migration, which has nothing to do with dates: the text of named fields in upper case, and back.

Text with a digit is a failed value. The old format has two styles: lower case, and capitalized words; text that is
neither loses its case. There is no faster converter, so every hash is classified value by value.
"""

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from redstart import EmbeddedJsonModel, HashModel, JsonModel
from redstart.mapping.model_info import ModelDeclaration, declare
from redstart.mapping.value_paths import Each, ValuePath
from redstart.migrations.data.plan import Plan, make_plan
from redstart.migrations.transformation import (
    Classification,
    Conversion,
    RecordedSettings,
    Texts,
    Transformation,
)
from redstart.values.lossless_json import JsonValue
from redstart.values.types import Storage

HASH_PREFIX, JSON_PREFIX = "upper:town:", "upper:region:"


class Town(HashModel):
    """A document with converted fields and one that stays."""

    name: str
    country: str
    motto: str = ""

    class Meta:
        global_key_prefix = "upper"
        model_key_prefix = "town"


class Mayor(EmbeddedJsonModel):
    """A part of a region."""

    name: str = ""


class Region(JsonModel):
    """A document with converted values in a list, a map, and another object."""

    name: str
    towns: list[str]
    rivers: dict[str, str]
    mayor: Mayor

    class Meta:
        global_key_prefix = "upper"
        model_key_prefix = "region"


PATHS = {
    "Town": (("name",), ("country",)),
    "Visit": (("site",), ("weather",)),  # of the demo, with dates beside
    "Sighting": (("species",), ("capture", "net"), ("measurements", Each.ITEM, "method")),
    "Region": (("name",), ("towns", Each.ITEM), ("rivers", Each.VALUE), ("mayor", "name")),
}


@dataclass(frozen=True, slots=True)
class UpperCase(Transformation):
    """Writes names in upper case."""

    alphabet: str = "unicode"

    migration_id: ClassVar[str] = "002_upper_case"
    title: ClassVar[str] = "Write names in upper case"
    texts: ClassVar[Texts] = Texts(
        unconverted="not in upper case",
        preexisting="was in upper case",
        no_inverse="no text",
        may_be_default="a name, or UNKNOWN in place of a failed value",
        default="UNKNOWN",
    )

    @property
    def settings(self) -> RecordedSettings:
        return (("alphabet", self.alphabet),)

    def paths(self, declaration: ModelDeclaration) -> tuple[ValuePath, ...]:
        name = declaration.model.__name__
        return tuple(ValuePath(segments, "name", optional=True) for segments in PATHS.get(name, ()))

    def convert_hash(self, raw: bytes, path: ValuePath) -> Conversion:
        assert path.kind == "name"
        try:
            return self._convert(raw.decode(), str.encode)
        except UnicodeDecodeError:
            return Conversion(Classification.UNCONVERTIBLE, reason="not valid UTF-8")

    def convert_json(self, value: JsonValue, path: ValuePath) -> Conversion:
        assert path.kind == "name"
        if value is None:
            return Conversion(Classification.NULL)
        if type(value) is not str:
            return Conversion(Classification.UNCONVERTIBLE, reason="not text")
        return self._convert(value, _json)

    def convert_back(
        self, raw: bytes, path: ValuePath, storage: Storage, *, is_default_style: bool
    ) -> bytes | None:
        text = json.loads(raw) if storage is Storage.JSON else raw.decode()
        old = text.lower() if is_default_style else text.title()
        return (_json if storage is Storage.JSON else str.encode)(old) if text == old.upper() else None

    def default(self, storage: Storage) -> bytes:
        return b'"UNKNOWN"' if storage is Storage.JSON else b"UNKNOWN"

    def quarantined(self, storage: Storage) -> bytes:
        return b'""' if storage is Storage.JSON else b""

    def _convert(self, text: str, write: Any) -> Conversion:
        if not text:
            return Conversion(Classification.NULL)
        if any(character.isdigit() for character in text):
            return Conversion(Classification.UNCONVERTIBLE, reason=f"a digit in {len(text)} characters")
        new = text.upper()
        if new == text:
            return Conversion(Classification.ALREADY)
        style = {new.lower(): True, new.title(): False}.get(text)
        if style is None:
            return Conversion(Classification.LOSSY, write(new), "loses its case")
        return Conversion(Classification.CONVERTIBLE, write(new), is_default_style=style)


def _json(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False).encode()


def upper_case_plan(transformation: Transformation) -> Plan:
    """The plan for both models."""
    return make_plan(map(declare, (Town, Region)), transformation)
