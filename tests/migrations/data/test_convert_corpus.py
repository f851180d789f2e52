"""Every value of the corpus that redis-om 0.3.5 wrote, against the timestamps that were computed for it."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from redstart.mapping.value_paths import ValuePath
from redstart.migrations.data.datetime_conversion import DatetimeConversion, legacy_text
from redstart.migrations.transformation import Classification, Conversion
from redstart.values.lossless_json import JsonValue, parse_json
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import Storage, TemporalKind
from tests.support.corpus import corpus_path

UTC = NaiveTimezone.parse("UTC")
CORPUS = corpus_path()

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(CORPUS is None, reason="there is no corpus: set REDSTART_CORPUS"),
]


class CorpusValue(NamedTuple):
    key: str
    path: str
    kind: TemporalKind
    optional: bool
    storage: Storage
    value: JsonValue
    expected: float | str

    def conversion(self) -> Conversion:
        path = ValuePath((self.path,), self.kind, self.optional)
        if self.storage is Storage.JSON:
            return DatetimeConversion(UTC).convert_json(self.value, path)
        assert isinstance(self.value, str)
        raw = self.value.encode()
        return DatetimeConversion(UTC).convert_hash(raw, path)


def lines(name: str) -> Iterator[Any]:
    with (CORPUS / name).open("rb") as file:
        yield from map(json.loads, file)


def at(document: JsonValue, path: str) -> JsonValue:
    value = document
    for index, name in re.findall(r"\[(\d+)\]|([^.\[\]]+)", path):
        if index:
            assert isinstance(value, list)
            value = value[int(index)]
        else:
            assert isinstance(value, dict)
            value = value[name]
    return value


@pytest.fixture(scope="module")
def values() -> list[CorpusValue]:
    plan = {
        prefix: {path["path"]: path for path in paths}
        for prefix, paths in json.loads((CORPUS / "paths.json").read_bytes()).items()
    }
    expected = {line["key"]: line["expected"] for line in lines("expected.jsonl")}
    found = []
    with (CORPUS / "dump.jsonl").open("rb") as file:
        for line in file:
            key = json.loads(line)["key"]
            if key not in expected:
                continue
            (prefix,) = (prefix for prefix in plan if key.startswith(prefix))
            dumped = parse_json(line.strip())  # keeps numbers as they are spelled
            storage = Storage(str(at(dumped, "type")))
            for path, want in expected[key].items():
                planned = plan[prefix][re.sub(r"\[\d+\]", "[]", path)]
                kind = TemporalKind(planned["kind"])
                value = at(at(dumped, "value"), path)
                found.append(CorpusValue(key, path, kind, planned["optional"], storage, value, want))
    return found


def test_every_value_is_converted_to_the_number_computed_for_it(values: list[CorpusValue]) -> None:
    assert len({value.key for value in values}) == 6_000
    counts: Counter[Classification] = Counter()
    for value in values:
        conversion = value.conversion()
        counts[conversion.outcome] += 1
        if value.expected == "null":
            assert conversion.outcome is Classification.NULL, value
        elif value.expected == "unconvertible":
            assert conversion.outcome is Classification.UNCONVERTIBLE, value
        elif conversion.outcome is Classification.ALREADY:
            assert float(str(value.value)) == value.expected, value
        else:
            assert conversion.outcome is Classification.CONVERTIBLE, value
            assert conversion.new == repr(value.expected).encode(), value
    assert set(counts) == {
        Classification.CONVERTIBLE,
        Classification.ALREADY,
        Classification.NULL,
        Classification.UNCONVERTIBLE,
    }


def test_the_text_format_of_a_utc_value_of_0_3_5_is_its_original(values: list[CorpusValue]) -> None:
    dirty = {(line["key"], line["path"]) for line in lines("dirty.jsonl")}
    assert len(dirty) == 170
    compared = 0
    for value in values:
        conversion = value.conversion()
        text = str(value.value)
        if conversion.new is None or (value.key, value.path) in dirty or not _without_foreign_offset(text):
            continue
        stored = f'"{text}"' if value.storage is Storage.JSON else text
        assert conversion.is_default_style is not None
        number = conversion.new.decode()
        again = legacy_text(
            number,
            kind=value.kind,
            storage=value.storage,
            naive=conversion.is_default_style,
            naive_timezone=UTC,
        )
        assert again == stored.encode(), value
        compared += 1
    assert compared > len(values) / 2


def _without_foreign_offset(text: str) -> bool:
    return text.endswith(("Z", "+00:00")) or re.search(r"\d[+-]\d\d:\d\d(:\d\d)?$", text) is None
