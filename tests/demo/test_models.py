"""The models declare exactly what the sample holds."""

from collections import Counter

from redstart import RedisModel
from redstart.demo.models import Ringer, Sighting, Visit
from redstart.demo.sample import RINGER_PREFIX, SIGHTING_PREFIX, VISIT_PREFIX, generate
from redstart.demo.slots import DAY, Expected, Location
from redstart.mapping.model_info import declare
from redstart.mapping.value_paths import TemporalPath
from redstart.values.types import Storage, TemporalKind

MODELS: dict[str, type[RedisModel]] = {RINGER_PREFIX: Ringer, VISIT_PREFIX: Visit, SIGHTING_PREFIX: Sighting}


def path_of(location: Location) -> str:
    """A value's location as the path of its model: every item of a list, every value of the one map."""
    if location[0] == "last_seen_by_place":
        return "last_seen_by_place{}"
    return "".join("[]" if isinstance(step, int) else f".{step}" for step in location).lstrip(".")


def test_prefixes_and_storage() -> None:
    declared = {declare(model).key_prefix: declare(model).storage for model in MODELS.values()}
    assert declared == {
        RINGER_PREFIX: Storage.HASH,
        VISIT_PREFIX: Storage.HASH,
        SIGHTING_PREFIX: Storage.JSON,
    }


def declared_paths(model: type[RedisModel]) -> dict[str, TemporalPath]:
    return {str(path): path for path in declare(model).paths.planned}


def test_the_paths_declared_are_the_places_with_answers() -> None:
    found: dict[str, set[str]] = {prefix: set() for prefix in MODELS}
    for document in generate(600):
        prefix = next(prefix for prefix in MODELS if document.key.startswith(prefix.encode()))
        found[prefix] |= {path_of(location) for location in document.expected}
    for prefix, model in MODELS.items():
        assert declared_paths(model).keys() == found[prefix]
        assert declare(model).paths.unplanned == ()


def test_the_answers_suit_what_is_declared() -> None:
    """Dates are midnights, and an empty text in a hash is null exactly where the field may be None."""
    empty_texts = Counter[Expected]()
    for document in generate(1_500, dirty_share=0.5):
        prefix = next(prefix for prefix in MODELS if document.key.startswith(prefix.encode()))
        paths = declared_paths(MODELS[prefix])
        for location, expected in document.expected.items():
            path = paths[path_of(location)]
            if path.kind is TemporalKind.DATE and isinstance(expected, int):
                assert expected % DAY == 0
            if document.storage is Storage.HASH and document.dirty.get(location) == "empty":
                assert expected == ("null" if path.optional else "unconvertible")
                empty_texts[expected] += 1
    assert set(empty_texts) == {"null", "unconvertible"}
