"""Documents of many edits are applied in parts: every edit once and in order, and no part above its bounds."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redstart.migrations.data import applier as applier_module
from redstart.migrations.data.applier import Applier, SentChunk
from redstart.migrations.data.edit_builder import guard_paths
from redstart.migrations.data.edits import DocumentEdits
from redstart.migrations.lease import Lease, SentScript
from redstart.migrations.state_keys import StateKeys
from redstart.migrations.transformation import Edit

SIZES = st.lists(
    st.tuples(st.integers(0, 1_300), st.integers(0, 700), st.integers(1, 2_000)), min_size=1, max_size=4
)
"""Of documents: how many edits lie in a list, how many do not, and the bytes of each."""


KEYS_AND_SIZES = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([10, 100_000, 300_000])), max_size=12)
"""The number of a document, which can occur several times, and the bytes of its value."""


class Scripted(Applier):
    """An applier whose scripts take as long as a test says; nothing is sent."""

    def __init__(self) -> None:
        super().__init__(Lease.__new__(Lease), StateKeys("parts"), fields_expire=False)

    def take(self, documents: Sequence[DocumentEdits], microseconds: int) -> None:
        """Adapt as to a script that took so long."""
        sent = SentChunk(documents, SentScript.__new__(SentScript), self.is_cutting)
        self.adapt(sent, microseconds)


def document(number: int, items: int, members: int, size: int, *, large: bool = False) -> DocumentEdits:
    old = b'"' + b"x" * size + b'"'
    edits = [Edit(("readings", at, "at"), old, b"1.5", None, True) for at in range(items)]
    edits += [Edit((f"m{at}",), old, b"1.5", None, True) for at in range(members)]
    guards: list[tuple[str, bytes | None]] = [(path, None) for path in guard_paths(edits, large=large)]
    return DocumentEdits(b"d%d" % number, True, edits, guards, large=large)


@given(KEYS_AND_SIZES, st.integers(1, 5))
def test_chunks_have_each_key_once_within_the_bounds(sizes: list[tuple[int, int]], limit: int) -> None:
    """A script compares all of its documents before it writes: the second of two parts of one would be a conflict."""
    applier = Scripted()
    applier.chunk_documents = limit
    documents = [document(number, 0, 1, size) for number, size in sizes]
    chunks = list(applier.chunks(documents))
    assert [one for chunk in chunks for one in chunk] == documents
    for chunk in chunks:
        assert len({one.key for one in chunk}) == len(chunk) <= limit
        size = sum(len(edit.old or b"") for one in chunk for edit in one.edits)
        assert len(chunk) == 1 or size <= applier_module.MAX_CHUNK_BYTES


@given(SIZES, st.lists(st.integers(1, 10**6), min_size=1), st.booleans())
def test_every_edit_is_in_one_part_within_the_bounds(
    sizes: list[tuple[int, int, int]], times: list[int], large: bool
) -> None:
    applier = Scripted()
    documents = [document(number, *size, large=large) for number, size in enumerate(sizes)]
    applied: list[tuple[bytes, Edit]] = []
    before: dict[bytes, int] = {}
    for number, chunk in enumerate(applier.cut_chunks(documents)):
        for part in chunk:
            applied += [(part.key, edit) for edit in part.edits]
            assert part.count <= applier_module.MAX_EDITS
            assert [path for path, _ in part.guards] == guard_paths(part.edits, large=large)
            items = sum(edit.location[0] == "readings" for edit in part.edits)
            assert items <= max(applier_module.FIRST_EDITS, 2 * before.get(part.key, 0))
            before[part.key] = part.count
        size = sum(len(edit.old or b"") + len(edit.new or b"") for part in chunk for edit in part.edits)
        assert size <= applier_module.MAX_CHUNK_BYTES
        applier.take(chunk, times[number % len(times)])
    assert applied == [(one.key, edit) for one in documents for edit in one.edits]


def test_the_time_of_a_part_decides_on_the_next() -> None:
    def counts(microseconds_per_edit: int) -> list[int]:
        applier, found = Scripted(), list[int]()
        for chunk in applier.cut_chunks([document(1, 2_000, 0, 20)]):
            found.append(chunk[0].count)
            applier.take(chunk, chunk[0].count * microseconds_per_edit)
        return found

    target = applier_module.PART_TARGET_MICROSECONDS
    assert counts(1)[:5] == [50, 100, 200, 400, 500]
    assert set(counts(target // 10)[1:-1]) == {10}
    assert set(counts(3 * target)[1:]) == {1}


@pytest.mark.parametrize(
    ("items", "members"), [(applier_module.FIRST_EDITS, 0), (0, applier_module.MAX_EDITS), (50, 400)]
)
def test_a_document_of_few_edits_is_applied_as_a_whole(items: int, members: int) -> None:
    whole = document(1, items, members, 20)
    assert list(Scripted().cut_chunks([whole])) == [[whole]]


def test_a_guard_covers_the_items_edited_and_their_neighbours() -> None:
    edits = [Edit(("a", at, "b", 7, "c"), b"", b"", None, True) for at in (3, 9)]
    assert guard_paths(edits, large=True) == ["$.a[2:11].b[*].c"]
    assert guard_paths([*edits, Edit(("a", 0, "b", 1, "c"), b"", b"")], large=True) == ["$.a[*].b[*].c"]
    assert guard_paths([Edit(('q"', 0), b"", b"", None, True)], large=True) == ["$['q\"'][*]"]
    assert guard_paths(edits) == ["$.a"]
