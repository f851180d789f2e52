"""How a path and a place are written for people."""

import pytest

from redstart.mapping.value_paths import Each, Segment, TemporalPath, display, index_path
from redstart.values.types import TemporalKind


@pytest.mark.parametrize(
    ("segments", "text"),
    [
        ((), ""),
        (("arrived_at",), "arrived_at"),
        (("shipment", "shipped_at"), "shipment.shipped_at"),
        (("lines", Each.ITEM, "added_at"), "lines[].added_at"),
        (("lines", 0, "added_at"), "lines[0].added_at"),
        (("stops", Each.VALUE), "stops{}"),
        (("stops", "it's", "at"), """stops["it's"].at"""),
        (("stops", ""), "stops['']"),
        (("stops", "a.b"), "stops['a.b']"),
        (("placed-at",), "['placed-at']"),
    ],
)
def test_display(segments: tuple[Segment, ...], text: str) -> None:
    assert display(segments) == text
    assert str(TemporalPath(segments, TemporalKind.DATE, False)) == text


@pytest.mark.parametrize(
    ("segments", "path"),
    [
        (("arrived_at",), "$.arrived_at"),
        (("lines", Each.ITEM, "added_at"), "$.lines[*].added_at"),
        (("stops", Each.VALUE, "at"), "$.stops.*.at"),
        (("größe", "a.b"), '$["größe"]["a.b"]'),
    ],
)
def test_index_path(segments: tuple[Segment, ...], path: str) -> None:
    assert index_path(segments) == path
