"""A document classified value by value, and the fast path for documents that do not need that."""

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from redstart.commands.keyspace import StreamEntry
from redstart.mapping.value_paths import ValuePath
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.data.edit_builder import FailureMode, classify, edits_for
from redstart.migrations.data.edits import DocumentEdits, StoredDocument
from redstart.migrations.data.plain_documents import PlainDocuments
from redstart.migrations.data.plan import PlannedModel
from redstart.migrations.data.undo_blob import FORMAT, blob_of
from redstart.migrations.data.undo_log import entry_of
from redstart.migrations.transformation import Classification, Edit
from redstart.values.types import Storage, TemporalKind

UTC = DatetimeConversion.of_zone("UTC")
KEY = b"shop:order:1"
moments = st.datetimes(datetime(1700, 1, 1), datetime(2240, 1, 1))
written = moments.map(lambda moment: moment.isoformat().encode())
others = st.sampled_from(
    [
        b"",
        b"N/A",
        b"\xff",
        b"1700000000.5",
        b"1700000000123",
        b" 2023-01-01",
        b"2023-01-01T10:20:30.1234567",
        b"Tue, 03 Jan 2023 10:20:30 +0200",
        b"9999-12-31T23:59:59.999999",
    ]
)
numbers = st.builds(
    lambda text, days: text if days is None else b"%d.0" % (days * 86_400),
    st.from_regex(rb"-?[0-9]{1,13}(\.[0-9]{0,8})?", fullmatch=True),
    st.none() | st.integers(-100_000, 100_000),
)
paths = st.builds(
    ValuePath, st.just(("name",)), kind=st.sampled_from(list(TemporalKind)), optional=st.booleans()
)


def hash_of(fields: list[tuple[ValuePath, bytes | None]]) -> StoredDocument:
    named = [ValuePath((f"f{n}",), path.kind, path.optional) for n, (path, _) in enumerate(fields)]
    model = PlannedModel("shop.Order", "shop:order:", "", Storage.HASH, tuple(named))
    return StoredDocument.of_hash(KEY, model, [raw for _, raw in fields])


def one_by_one(document: StoredDocument, mode: FailureMode, clearing: set[tuple[str, str]]) -> DocumentEdits:
    return edits_for(document, classify(document, UTC), mode, UTC, clearing)


def plain_form(made: DocumentEdits) -> object:
    return made.locations, made.locations and (list(made.old), list(made.new))


def shortcut_of(fields: list[tuple[ValuePath, bytes | None]]) -> DocumentEdits | None:
    plain, others = PlainDocuments(UTC).edits([hash_of(fields)])
    assert len(plain) + len(others) == 1
    return plain[0] if plain else None


@given(
    st.lists(st.tuples(paths, st.none() | written | others | numbers), min_size=1, max_size=4),
    st.sampled_from(list(FailureMode)),
    st.booleans(),
)
def test_the_fast_path_makes_the_same_edits_or_none(
    fields: list[tuple[ValuePath, bytes | None]], mode: FailureMode, clear: bool
) -> None:
    clearing = {("shop:order:", f"f{number}") for number in range(4)} if clear else set()
    general, shortcut = (
        one_by_one(hash_of(fields), mode, clearing),
        shortcut_of(fields),
    )
    if shortcut is not None:
        assert plain_form(shortcut) == plain_form(general) or not general.count
        assert (shortcut.edits, shortcut.count) == (general.edits, general.count)


@given(st.lists(st.tuples(paths, st.none() | written | others | numbers), min_size=1, max_size=4))
def test_the_fast_path_counts_as_the_general_path(fields: list[tuple[ValuePath, bytes | None]]) -> None:
    document = hash_of(fields)
    groups, others = PlainDocuments(UTC).groups([document])
    assert len(groups) + len(others) == 1
    for counts, alike in groups:
        assert alike == [document]
        assert list(counts) == [
            (value.path, conversion.outcome, conversion.is_default_style)
            for value, conversion in classify(document, UTC)
        ]


alike = written | numbers
columns = st.lists(
    st.tuples(paths, st.lists(st.none() | written | others | numbers | alike, min_size=5, max_size=5)),
    min_size=1,
    max_size=3,
)


@given(columns, st.integers(1, 5))
def test_a_page_of_hashes_is_converted_as_each_of_them(
    fields: list[tuple[ValuePath, list[bytes | None]]], rows: int
) -> None:
    named = [ValuePath((f"f{n}",), path.kind, path.optional) for n, (path, _) in enumerate(fields)]
    model = PlannedModel("shop.Order", "shop:order:", "", Storage.HASH, tuple(named))
    page = [
        StoredDocument.of_hash(b"%d" % row, model, [values[row] for _, values in fields])
        for row in range(rows)
    ]
    plain, others = PlainDocuments(UTC).edits(page)
    assert len(plain) + len(others) == rows
    changed = {one.key: one for one in plain if one.count}
    left = {document.key for document in others}
    groups, uncounted = PlainDocuments(UTC).groups(page)
    counts = {one.key: list(found) for found, alike in groups for one in alike}
    assert left == {document.key for document in uncounted}
    for document in page:
        general = one_by_one(document, FailureMode.SKIP, set())
        if document.key in changed:
            assert plain_form(changed[document.key]) == plain_form(general)
            assert list(map(tuple, entry_edits(changed[document.key]))) == [
                edit[:3] for edit in general.edits
            ]
        elif document.key not in left:
            assert not general.count
        if document.key in counts:
            assert counts[document.key] == [
                (value.path, conversion.outcome, conversion.is_default_style)
                for value, conversion in classify(document, UTC)
            ]


def entry_edits(made: DocumentEdits) -> list[Edit]:
    """Return the edits as the undo log has them."""
    fields = {b"blob": blob_of([made]), b"format": FORMAT, b"applied": b"", b"label": b"1.1"}
    (read,) = entry_of(StreamEntry("1-1", fields), None).documents
    return [edit[:3] for edit in read.edits]  # type: ignore[misc]


@given(st.lists(st.tuples(paths, st.none() | written), min_size=1, max_size=4))
def test_the_shortcut_takes_what_a_model_wrote(fields: list[tuple[ValuePath, bytes | None]]) -> None:
    shortcut = shortcut_of(fields)
    assert shortcut is not None
    assert shortcut.count == sum(raw is not None for _, raw in fields)


@given(
    st.lists(st.tuples(paths, st.none() | written | others), min_size=1, max_size=4),
    st.sampled_from(list(FailureMode)),
)
def test_edits_match_the_conversions(fields: list[tuple[ValuePath, bytes | None]], mode: FailureMode) -> None:
    document = hash_of(fields)
    judged = classify(document, UTC)
    made = edits_for(document, judged, mode, UTC)
    converted = [
        Edit(
            value.location, value.raw, conversion.new, None, True, conversion.outcome is Classification.LOSSY
        )
        for value, conversion in judged
        if conversion.new is not None
    ]
    assert [edit for edit in made.edits if edit.converts] == converted
    assert made.lossy == sum(conversion.outcome is Classification.LOSSY for _, conversion in judged)
    assert made.count == len(made.edits)
    if made.locations:
        assert len(made.edits) == len(converted)


@given(
    st.lists(st.tuples(paths, written | others), min_size=1, max_size=4), st.sampled_from(list(FailureMode))
)
def test_the_undo_log_returns_the_edits(fields: list[tuple[ValuePath, bytes]], mode: FailureMode) -> None:
    made = one_by_one(hash_of([*fields]), mode, set())
    fields = {b"blob": blob_of([made]), b"format": FORMAT, b"applied": b"", b"label": b"1.1"}
    (read,) = entry_of(StreamEntry("1-1", fields), None).documents
    assert (read.key, read.json) == (KEY, False)
    assert [edit[:4] for edit in read.edits] == [edit[:4] for edit in made.edits]
