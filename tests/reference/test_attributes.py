"""Every attribute of redis-om's public classes is there and takes the same arguments, or is on the page as left out."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from redstart.unavailable_names import METHODS
from tests.reference.public_attributes import things
from tests.support.corpus import REPOSITORY
from tests.support.models import registry_of_its_own

SCRIPT = Path(__file__).with_name("public_attributes.py")

OF_CONDITIONS = {"name", "op", "parents"}
LEFT_OUT: dict[str, set[str]] = {
    "FindQuery": {
        *("expand_tag_value", "resolve_field_type", "resolve_redisearch_pagination"),
        *(
            "resolve_redisearch_sort_fields",
            "resolve_value",
            "validate_projected_fields",
            "validate_sort_fields",
        ),
    },
    "Expression": {*OF_CONDITIONS, "right"},
    "Expression (AND)": OF_CONDITIONS,
    "NegatedExpression": {"expression", "left", "name", "op", "right"},
    "ExpressionProxy": {"parents"},
    "ExpressionProxy (nested)": {"parents"},
    "DataMigrator": {"load_builtin_migrations"},
    "Operators": {"ALL", "AND", "FALSE", "LIKE", "NOT", "OR", "TRUE"},
}
"""What tells how redis-om does its work, or what this version does not do."""

NOT_LISTED_BY_DIR = {"field"}
"""Of a field in a query: a document inside may have a field of that name."""


BY_POSITION = {
    *(
        (name, method)
        for name in ("ExpressionProxy", "ExpressionProxy (nested)")
        for method in ("contains", "endswith", "startswith")
    ),
}
"""Called with arguments of other names; they are not given by name."""

ENUMERATIONS = {("VectorFieldOptions", name) for name in ("ALGORITHM", "DISTANCE_METRIC", "TYPE")}
"""Their parameters depend on the version of Python, which may differ from that of redis-om's environment."""


def attributes_of(python: str, library: str, url: str) -> dict[str, dict[str, Any]]:
    done = subprocess.run([python, SCRIPT, library, url], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.redis_om
def test_attributes_and_arguments(python_with_1x: str, url: str) -> None:
    theirs = attributes_of(python_with_1x, "redis_om", url)
    ours = attributes_of(sys.executable, "redstart", url)
    compared, different = 0, set()
    for name, attributes in theirs.items():
        left_out = LEFT_OUT.get(name, set()) | (set(METHODS) if "Model" in name else set())
        missing = set(attributes) - set(ours[name]) - NOT_LISTED_BY_DIR
        assert missing == left_out & set(attributes), name
        for attribute in set(attributes) & set(ours[name]):
            expected, found = attributes[attribute], ours[name][attribute]
            if expected is None or found is None:
                continue
            if name != "the package":
                compared += 1
                if found[: len(expected)] != expected:
                    different.add((name, attribute))
    assert different - ENUMERATIONS == BY_POSITION
    assert compared >= 150


def test_the_page_lists_what_is_left_out() -> None:
    page = (REPOSITORY / "docs" / "from-redis-om.md").read_text(encoding="utf-8")
    for names in LEFT_OUT.values():
        for name in names:
            assert f"`{name}`" in page, name


IMMUTABLE = (
    *("FindQuery", "Expression", "Expression (AND)", "NegatedExpression", "ExpressionProxy", "KNNExpression"),
    *("ExpressionProxy (nested)", "GeoFilter", "VectorFieldOptions"),
)


@pytest.fixture
def ours() -> Iterator[dict[str, Any]]:
    with registry_of_its_own():
        yield things("redstart")


@pytest.mark.parametrize("name", IMMUTABLE)
def test_assignment_to_an_immutable_object_is_refused(ours: dict[str, Any], name: str) -> None:
    thing = ours[name]
    for attribute in (*(one for one in dir(thing) if not one.startswith("_")), "not_there"):
        with pytest.raises(
            AttributeError, match=f"immutable, so .*attribute '{attribute}' cannot be changed"
        ):
            setattr(thing, attribute, None)
        with pytest.raises(AttributeError):
            delattr(thing, attribute)


@pytest.mark.parametrize("name", ["GeoFilter", "KNNExpression", "VectorFieldOptions"])
def test_subclasses_may_have_attributes_of_their_own(ours: dict[str, Any], name: str) -> None:
    base = type(ours[name])
    values = {field.name: getattr(ours[name], field.name) for field in dataclasses.fields(base)}
    named = type("Named", (base,), {})(**values)
    named.title = "mine"
    assert named.title == "mine"
    del named.title
    with pytest.raises(AttributeError, match="immutable"):
        setattr(named, next(iter(values)), None)


def test_the_primary_key_in_meta_follows_from_the_fields(ours: dict[str, Any]) -> None:
    with pytest.raises(AttributeError, match=r"Meta.primary_key of Flat cannot be set: .* Declare the field"):
        ours["Meta"].primary_key = None
