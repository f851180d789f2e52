"""The documents of the sample as redis-om 0.3.5 stored them, with the expected results; their names and texts."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from redstart.demo.dirty_values import BIRTHS, PERMITS, RECENT, RECORDS, Era, LegacyValues
from redstart.demo.slots import Expected, Location, Raw, SampleValue, Slot
from redstart.values.types import Storage, TemporalKind

SEED = 20_241_103

RINGER_PREFIX = "station:redstart.demo.models.Ringer:"
VISIT_PREFIX = "station:visit:"
SIGHTING_PREFIX = "station:sighting:"

FIRST_EXPIRY_MILLISECONDS = 4_102_444_800_000
"""2100-01-01: no expiry of the sample ends during a test."""
EXPIRY_SPAN_MILLISECONDS = 10 * 365 * 86_400_000

HASH_DATETIME = Slot(Storage.HASH, TemporalKind.DATETIME)
HASH_DATETIME_OR_NONE = Slot(Storage.HASH, TemporalKind.DATETIME, optional=True)
HASH_DATE = Slot(Storage.HASH, TemporalKind.DATE)
JSON_DATETIME = Slot(Storage.JSON, TemporalKind.DATETIME)
JSON_DATETIME_OR_NONE = Slot(Storage.JSON, TemporalKind.DATETIME, optional=True)
JSON_DATE_OR_NONE = Slot(Storage.JSON, TemporalKind.DATE, optional=True)


@dataclass(frozen=True, slots=True)
class SampleDocument:
    """One key, and the expected result of a migration.

    Args:
        key: the whole key.
        storage: a hash or one JSON value.
        content: the hash, or the JSON text exactly as JSON.GET returns it.
        expires_at_milliseconds: the expiry of the key, since 1970; None: never.
        field_expiries: the expiry of hash fields, in milliseconds since 1970.
        expected: the expected result of every temporal value.
        dirty: the class of each malformed value.
    """

    key: bytes
    storage: Storage
    content: dict[bytes, bytes] | bytes
    expires_at_milliseconds: int | None
    field_expiries: dict[bytes, int]
    expected: dict[Location, Expected]
    dirty: dict[Location, str]


def generate(documents: int, seed: int = SEED, *, dirty_share: float = 0.03) -> Iterator[SampleDocument]:
    """Yield the first documents of a sample, the three models taking turns.

    Args:
        documents: the number of documents.
        seed: the random seed. A longer sample of the same seed begins with the same documents.
        dirty_share: the share of malformed values, 0 to 1.
    """
    writer = _Writer(Random(seed), dirty_share)
    models: tuple[Callable[[int], SampleDocument], ...] = (writer.ringer, writer.visit, writer.sighting)
    for number in range(documents):
        yield models[number % len(models)](number)


@dataclass(slots=True)
class _Answers:
    """The expected results of a document, collected while it is generated."""

    expected: dict[Location, Expected] = field(default_factory=dict)
    dirty: dict[Location, str] = field(default_factory=dict)

    def note(self, location: Location, value: SampleValue) -> Raw:
        self.expected[location] = value.expected
        if value.dirty is not None:
            self.dirty[location] = value.dirty
        return value.raw


class _Writer:
    """A generator of documents of each model from one random number generator."""

    def __init__(self, random: Random, dirty_share: float) -> None:
        self._random = random
        self._values = LegacyValues(random, dirty_share)

    def ringer(self, _number: int) -> SampleDocument:
        answers = _Answers()
        pk = ulid(self._random)
        content = {b"pk": pk.encode(), b"name": self._random.choice(PEOPLE).encode()}
        self._hash_values(
            content,
            answers,
            born_on=(HASH_DATE, BIRTHS),
            licensed_at=(HASH_DATETIME, RECORDS),
            last_seen_at=(HASH_DATETIME_OR_NONE, RECENT),
        )
        content[b"birds_ringed"] = str(self._random.randrange(40_000)).encode()
        content[b"remark"] = self._random.choice(TEXTS_LIKE_DATES).encode()
        return self._hash(RINGER_PREFIX + pk, content, answers)

    def visit(self, number: int) -> SampleDocument:
        answers = _Answers()
        code = f"V-{number:07}"
        # With a primary key of its own, redis-om 0.3.5 stored a random `pk` as well.
        content = {b"pk": ulid(self._random).encode(), b"visit_code": code.encode()}
        content[b"site"] = self._random.choice(SITES).encode()
        self._hash_values(
            content,
            answers,
            arrived_at=(HASH_DATETIME, RECENT),
            left_at=(HASH_DATETIME_OR_NONE, RECENT),
            permit_until=(HASH_DATE, PERMITS),
        )
        content[b"nets"] = str(self._random.randrange(1, 30)).encode()
        content[b"weather"] = self._random.choice(WEATHERS).encode()
        expires_at = self._expiry() if self._random.random() < 0.15 else None
        field_expiries = {}
        if self._random.random() < 0.04:
            some = self._random.sample([b"arrived_at", b"permit_until", b"weather"], 2)
            field_expiries = {name: self._expiry() for name in some}
        return self._hash(VISIT_PREFIX + code, content, answers, expires_at, field_expiries)

    def sighting(self, _number: int) -> SampleDocument:
        answers, random = _Answers(), self._random
        pk = ulid(random)
        document: dict[str, object] = {
            "pk": pk,
            "species": random.choice(SPECIES),
            "wing_millimetres": random.randrange(400, 2_600) / 10,
            "ringed_at": self._json(answers, ("ringed_at",), JSON_DATETIME, RECORDS),
            "hatched_on": self._json(answers, ("hatched_on",), JSON_DATE_OR_NONE, RECENT),
            "capture": self._capture(answers),
            "measurements": [self._measurement(answers, index) for index in range(self._few())],
            "resighted_at": [
                self._json(answers, ("resighted_at", index), JSON_DATETIME, RECENT)
                for index in range(self._few())
            ],
            "last_seen_by_place": {
                place: self._json(answers, ("last_seen_by_place", place), JSON_DATETIME, RECENT)
                for place in self._places()
            },
        }
        if random.random() < 0.005:
            document["imported_at"] = "2019-04-05T06:07:08"
        return SampleDocument(
            key=(SIGHTING_PREFIX + pk).encode(),
            storage=Storage.JSON,
            content=json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(),
            expires_at_milliseconds=self._expiry() if random.random() < 0.02 else None,
            field_expiries={},
            expected=answers.expected,
            dirty=answers.dirty,
        )

    def _capture(self, answers: _Answers) -> dict[str, object]:
        return {
            "pk": ulid(self._random),
            "net": f"N{self._random.randrange(1, 30)}",
            "released_at": self._json(answers, ("capture", "released_at"), JSON_DATETIME_OR_NONE, RECORDS),
            "ringed_at": self._random.choice(TEXTS_LIKE_DATES),
        }

    def _measurement(self, answers: _Answers, index: int) -> dict[str, object]:
        at: Location = ("measurements", index)
        return {
            "pk": ulid(self._random),
            "method": self._random.choice(("spring scale", "balance", "estimate")),
            "grams": self._random.randrange(50, 4_000) / 10,
            "taken_at": self._json(answers, (*at, "taken_at"), JSON_DATETIME, RECORDS),
            "repeat_on": self._json(answers, (*at, "repeat_on"), JSON_DATE_OR_NONE, RECENT),
        }

    def _few(self) -> int:
        """Return the length of a list, 0 to 3."""
        return int(self._random.random() * 4)

    def _places(self) -> list[str]:
        """Return up to two keys of a map, and an unusual one in one map of eight."""
        places = self._random.sample(PLACES, self._few() // 2)
        if self._random.random() < 0.12:
            places.append(self._random.choice(ODD_PLACES))
        return places

    def _expiry(self) -> int:
        return FIRST_EXPIRY_MILLISECONDS + self._random.randrange(EXPIRY_SPAN_MILLISECONDS)

    def _json(self, answers: _Answers, location: Location, slot: Slot, era: Era) -> Raw:
        return answers.note(location, self._values.value(slot, era))

    def _hash_values(
        self, content: dict[bytes, bytes], answers: _Answers, **places: tuple[Slot, Era]
    ) -> None:
        """Add temporal fields, in order. redis-om omits None in a hash."""
        for name, (slot, era) in places.items():
            value = self._values.value(slot, era)
            if value.raw is not None:
                raw = answers.note((name,), value)
                content[name.encode()] = raw if isinstance(raw, bytes) else str(raw).encode()

    def _hash(
        self,
        key: str,
        content: dict[bytes, bytes],
        answers: _Answers,
        expires_at_milliseconds: int | None = None,
        field_expiries: dict[bytes, int] | None = None,
    ) -> SampleDocument:
        if self._random.random() < 0.005:
            content[b"imported_at"] = b"2019-04-05T06:07:08"
        return SampleDocument(
            key=key.encode(),
            storage=Storage.HASH,
            content=content,
            expires_at_milliseconds=expires_at_milliseconds,
            field_expiries=field_expiries or {},
            expected=answers.expected,
            dirty=answers.dirty,
        )


CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""The digits of a ULID: no I, L, O, U."""

PEOPLE = (
    "Ada Holm",
    "Bjørn Lie",
    "Chiara Rossi",
    "Deepa Nair",
    "Émile Roux",
    "Faye O'Brien",
    "Гаяне Петросян",
)
SITES = ("Reedbed North", "Old Lighthouse", "Heron Island", "Quarry", "Salt Marsh", "Willow Ditch")
WEATHERS = ("clear", "drizzle", "fog until 9", "NW 4-5", "", "overcast, 8/8")
SPECIES = ("common redstart", "black redstart", "whinchat", "bluethroat", "reed warbler", "wryneck")

TEXTS_LIKE_DATES = (
    "2020-01-02T03:04:05",
    "2019-05-05",
    "1700000000",
    "1672531200.0",
    "yesterday",
    "ring 2021-03-04 lost",
    "2023-01-01T00:00:00Z",
    "",
)
"""Values of `str` fields: to be kept as they are."""

PLACES = ("Harbour", "Mill pond", "Dunes", "Vicarage garden", "Pier 3", "Railway cutting")
ODD_PLACES = (
    "Farmer's barn",
    'the "Rookery"',
    """Old Tom's "Folly\"""",
    "hide\\east",
    "\\",
    "N.W. corner",
    "$.ringed_at",
    "two  spaces ",
    "Großer Grünsee",
    "渡り鳥",
    "🐦",
    "[0]",
    "*",
    "",
)
"""Keys of a map that are hard to write as a path: quotes of one kind and of both, backslashes, dots, none."""


def ulid(random: Random) -> str:
    """Return 26 characters in the format of a ULID."""
    digits = random.getrandbits(125)
    return "0" + "".join([CROCKFORD[digits >> shift & 31] for shift in range(0, 125, 5)])
