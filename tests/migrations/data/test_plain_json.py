"""JSON documents on the fast path: the edits, undo log and failures of the general path, whatever the document."""

import json
import zlib
from collections.abc import Iterator
from hashlib import sha1
from typing import Any

import msgpack
import pytest
import redis
from hypothesis import example, given
from hypothesis import strategies as st

from redstart.commands.keyspace import StreamEntry
from redstart.commands.scripts import Script
from redstart.effects import Op
from redstart.mapping.value_paths import Each, ValuePath
from redstart.migrations.data import applier as applier_module
from redstart.migrations.data.compact_edits import DIGEST_BYTES
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.data.edit_builder import FailureMode, classify, edits_for
from redstart.migrations.data.edits import DocumentEdits, StoredDocument
from redstart.migrations.data.plain_documents import PlainDocuments
from redstart.migrations.data.plan import Plan, PlannedModel
from redstart.migrations.data.reader import reader_of
from redstart.migrations.data.results import RunOptions
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.run import run
from redstart.migrations.data.undo_blob import FORMAT, blob_of
from redstart.migrations.data.undo_log import JournalEntry, entries_backwards, entry_of
from redstart.migrations.transformation import Classification
from redstart.server.clients import open_like
from redstart.values.lossless_json import json_text, parse_json
from redstart.values.types import Storage, TemporalKind
from tests.migrations.data.runs import APPLY
from tests.support.crash_driver import CrashDriver
from tests.support.migration import KEYS, new_context

UTC = DatetimeConversion.of_zone("UTC")
PREFIX = "shop:order:"
KEY = b"shop:order:1"
PATHS = (
    ("created_at",),
    ("shipment", "shipped_at"),
    ("lines", Each.ITEM, "added_at"),
    ("lines", Each.ITEM, "returned", Each.ITEM),
    ("seen", Each.ITEM),
)


def model_of(kind: TemporalKind = TemporalKind.DATETIME) -> PlannedModel:
    paths = tuple(ValuePath(path, kind, optional=False) for path in PATHS)
    return PlannedModel("shop.Order", PREFIX, "", Storage.JSON, paths)


MODEL = model_of()
moments = st.datetimes().map(lambda moment: moment.isoformat())
dates = (
    moments
    | st.dates().map(str)
    | st.sampled_from(
        [
            "",
            "N/A",
            "1970-01-01T00:00:00",
            "1970-01-01T00:00:00.000001",
            '"$.lines":[',
            "2020-01-01T00:00:00Z",
        ]
    )
    | st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**63)
    | st.integers(-(10**9), 10**9).map(lambda number: number / 1000)
)
anything = st.recursive(
    dates | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "ü", '"', "$"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def mostly(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(strategy, strategy, strategy, strategy, anything)


items = st.fixed_dictionaries(
    {"sku": anything},
    optional={
        "added_at": mostly(moments),
        "returned": mostly(st.lists(mostly(moments), max_size=2)),
        "price": dates,
    },
)
documents = st.fixed_dictionaries(
    {},
    optional={
        "created_at": mostly(moments),
        "shipment": mostly(st.fixed_dictionaries({}, optional={"shipped_at": mostly(moments)})),
        "lines": mostly(st.lists(mostly(items), max_size=3)),
        "seen": mostly(st.lists(mostly(moments), max_size=3)),
    },
)


def matches(value: Any, steps: list[str]) -> list[Any]:
    for step in steps:
        if not isinstance(value, dict) or step not in value:
            return []
        value = value[step]
    return [value]


def read(model: PlannedModel, content: Any, *, is_whole: bool) -> StoredDocument:
    """Return a document as the reader has it, of the text that a server would print."""
    if is_whole:
        text = json_text(parse_json(json.dumps(content).encode()))
        return reader_of(model).json_document(KEY, text)
    anchors = reader_of(model).anchors
    found = {text: matches(content, text[2:].split(".")) for text in anchors}
    text = json_text(parse_json(json.dumps(found).encode()))
    return reader_of(model).json_document(KEY, [text])


def read_again(made: DocumentEdits) -> DocumentEdits:
    fields = {b"blob": blob_of([made]), b"format": FORMAT, b"applied": b"", b"label": b"1.1"}
    (read,) = entry_of(StreamEntry("1-1", fields), None).documents
    return read


def digest_after(content: Any, path: str, made: DocumentEdits) -> bytes:
    """Return the digest of a list with the new values, as a script would find it."""
    changed = parse_json(json.dumps(content).encode())
    for edit in made.edits:
        holder: Any = changed
        for step in edit.location[:-1]:
            holder = holder[step]
        holder[edit.location[-1]] = parse_json(edit.new or b"")
    (found,) = matches(changed, path[2:].split("."))
    return sha1(b"[%b]" % json_text(found)).digest()[:DIGEST_BYTES].hex().encode()


@given(documents, st.sampled_from(list(TemporalKind)), st.sampled_from(list(FailureMode)), st.booleans())
@example({"created_at": "1970-01-01T00:00:00.000001"}, TemporalKind.DATETIME, FailureMode.SKIP, True)
@example({"created_at": "1969-12-31T23:59:59.5"}, TemporalKind.DATETIME, FailureMode.SKIP, False)
def test_the_fast_path_makes_the_same_edits_and_entries_or_none(
    content: Any, kind: TemporalKind, mode: FailureMode, is_whole: bool
) -> None:
    model = model_of(kind)
    plain, others = PlainDocuments(UTC).edits([read(model, content, is_whole=is_whole)])
    assert len(plain) + len(others) == 1
    document = read(model, content, is_whole=is_whole)
    judged = classify(document, UTC)
    general = edits_for(document, judged, mode, UTC)
    for one in plain:
        assert (one.count, one.edits) == (general.count, general.edits)
        assert not any(conversion.outcome is Classification.UNCONVERTIBLE for _, conversion in judged)
    (plain, _) = PlainDocuments(UTC).edits([read(model, content, is_whole=is_whole)])
    for one in plain:  # before its edits were made one by one
        if one.count:
            of_fast, of_general = read_again(one), read_again(general)
            digests = [(path, digest_after(content, path, general)) for path, _ in of_general.guards]
            assert (of_fast.guards, of_fast.edits) == (digests, of_general.edits)
            assert (of_fast.key, of_fast.json, of_fast.is_atomic) == (of_general.key, True, False)
            assert (one.guards, one.guarded_bytes) == (general.guards, general.guarded_bytes)


MIXED = PlannedModel(
    "shop.Order",
    PREFIX,
    "",
    Storage.JSON,
    tuple(
        ValuePath(path, kind, optional=False)
        for path, kind in zip(PATHS, [TemporalKind.DATETIME, TemporalKind.DATE] * 3, strict=False)
    ),
)


@given(
    st.lists(st.tuples(documents, st.booleans()), max_size=5), st.sampled_from([MODEL, MIXED]), st.booleans()
)
def test_a_page_of_documents_is_converted_as_each_of_them(
    contents: list[tuple[Any, bool]], model: PlannedModel, repeated: bool
) -> None:
    contents = contents * 2 if repeated else contents
    page = [read(model, content, is_whole=is_whole) for content, is_whole in contents]
    for number, document in enumerate(page):
        document.key = b"%d" % number
    together = PlainDocuments(UTC)
    plain, others = together.edits(page)
    groups, uncounted = together.groups(page)
    counts = {one.key: list(found) for found, alike in groups for one in alike}
    assert {one.key for one in plain if one.count}.isdisjoint(one.key for one in others)
    assert counts.keys() | {one.key for one in uncounted} == {one.key for one in page}
    for one in plain:
        if one.count:
            document = page[int(one.key)]
            general = edits_for(document, classify(document, UTC), FailureMode.SKIP, UTC)
            assert one.edits == general.edits
    unchanged = {one.key for one in page} - {one.key for one in plain} - {one.key for one in others}
    for document in page:
        classified = classify(document, UTC)
        if document.key in unchanged:
            assert not edits_for(document, classified, FailureMode.SKIP, UTC).count
        if document.key in counts:
            assert counts[document.key] == [
                (value.path, conversion.outcome, conversion.is_default_style)
                for value, conversion in classified
            ]


@given(documents)
def test_a_whole_document_has_the_values_that_its_paths_read(content: Any) -> None:
    whole, paths = (read(MODEL, content, is_whole=is_whole) for is_whole in (True, False))
    assert whole.values == paths.values


@given(documents, st.sampled_from(list(TemporalKind)), st.booleans())
def test_the_fast_path_counts_as_the_general_path(content: Any, kind: TemporalKind, is_whole: bool) -> None:
    model = model_of(kind)
    groups, _ = PlainDocuments(UTC).groups([read(model, content, is_whole=is_whole)])
    for counts, _ in groups:
        assert list(counts) == [
            (value.path, conversion.outcome, conversion.is_default_style)
            for value, conversion in classify(read(model, content, is_whole=is_whole), UTC)
        ]


def test_the_fast_path_takes_what_a_model_wrote() -> None:
    moment = "2021-05-04T03:02:01.123456"
    content = {
        "created_at": moment,
        "shipment": {"shipped_at": "2021-05-04T03:02:01"},
        "lines": [
            {"sku": "S-1", "price": 9.99, "count": 3, "added_at": moment, "returned": [moment]},
            {"sku": None},
        ],
        "seen": [moment, None],
    }
    plain, _ = PlainDocuments(UTC).edits([read(MODEL, content, is_whole=True)])
    assert [one.count for one in plain] == [5]


ORDINARY = [
    {
        "created_at": f"2021-05-04T03:02:{second:02d}{fraction}",
        "lines": [{"n": 1.5, "x": None, "added_at": text}],
    }
    for second, fraction in enumerate(["", ".1", ".12", ".123456", ".5", "", ".25"] * 4)
    for text in ("2021-05-04T03:02:01.123456", "2021-05-04T03:02:01", "N/A")
]
PLAN = Plan((MODEL,), UTC.settings)


@pytest.fixture
def general_path_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    def switch() -> None:
        monkeypatch.setattr("redstart.migrations.data.plain_documents.fast_path_of", lambda *_: None)

    yield switch


def load(client: redis.Redis) -> dict[str, bytes]:
    client.flushall(asynchronous=False)
    for number, content in enumerate(ORDINARY):
        client.execute_command("JSON.SET", f"{PREFIX}{number:03d}", "$", json.dumps(content))
    return texts(client)


def texts(client: redis.Redis) -> dict[str, bytes]:
    keys = [f"{PREFIX}{number:03d}" for number in range(len(ORDINARY))]
    return {key: client.execute_command("JSON.GET", key) for key in keys}


def do(client: redis.Redis, operation: Op[Any]) -> Any:
    with open_like(client) as driver:
        return driver.run(operation)


def logged(client: redis.Redis) -> list[Any]:
    """Return everything that the undo log has, without the order of documents."""
    entries: list[JournalEntry] = do(client, entries_backwards(KEYS, None, 1_000))
    return sorted(
        (one.key, str(one.edits), str(one.guards), entry.label)
        for entry in entries
        for one in entry.documents
    )


def test_a_run_writes_the_same_documents_and_undo_log_on_both_paths(
    client: redis.Redis, general_path_only: Any
) -> None:
    found = []
    for is_fast in (True, False):
        if not is_fast:
            general_path_only()
        before = load(client)
        result = do(client, run(new_context(), PLAN, RunOptions()))
        assert result.stopped is None
        found.append(
            (result.converted, result.lossy, result.errors, result.documents, texts(client), logged(client))
        )
        assert do(client, rollback(new_context(), batch_documents=40)).stopped is None
        assert texts(client) == before
    fast, general = found
    assert fast == general
    assert fast[0] > len(ORDINARY)


PRINTS_OTHERWISE = """
local redis_pcall = redis.pcall
local redis = setmetatable({pcall = function(name, ...)
  local reply = redis_pcall(name, ...)
  if name == 'JSON.GET' and type(reply) == 'string' then
    reply = string.gsub(reply, '%f[%d](%d%d%d%d%d%d%d+)%.0%f[^%d]', '%1')
  end
  return reply
end}, {__index = redis})
"""
"""Whole numbers from 7 digits on are printed without a point, by the scripts that write."""


def test_on_a_server_that_prints_numbers_otherwise_values_are_read_back(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = applier_module._script()
    monkeypatch.setattr(applier_module, "_script", lambda: Script.of(PRINTS_OTHERWISE + script.source))
    before = load(client)
    result = do(client, run(new_context(), PLAN, RunOptions()))
    assert result.stopped is None
    entries: list[JournalEntry] = do(client, entries_backwards(KEYS, None, 1_000))
    new = {edit.new for entry in entries for one in entry.documents for edit in one.edits}
    whole = {text for text in new if text is not None and b"." not in text}
    assert whole, "the printed form of a whole number was not recorded"
    assert not any(text.endswith(b".0") for text in new if text is not None)
    assert do(client, rollback(new_context(), batch_documents=40)).stopped is None
    assert texts(client) == before


def test_documents_that_another_client_changes_are_read_again(client: redis.Redis, url: str) -> None:
    changed = {"created_at": "2022-02-02T02:02:02", "lines": [{"added_at": "2022-02-02T02:02:02"}] * 2}
    keys = list(load(client))
    waiting = [("JSON.SET", key, "$", json.dumps(changed)) for key in keys]
    seen = []

    def hook(name: str) -> None:
        seen.append(name in APPLY)
        if sum(seen) == 3:  # the pages of a run begin small
            while waiting:
                client.execute_command(*waiting.pop())

    with CrashDriver(url, before=hook) as driver:
        result = driver.run(run(new_context(), PLAN, RunOptions()))
    assert result.conflicts_retried > 0
    converted = {"created_at": 1643767322.0, "lines": [{"added_at": 1643767322.0}] * 2}
    assert [json.loads(client.execute_command("JSON.GET", key)) for key in keys] == [converted] * len(keys)


def as_format_1(client: redis.Redis) -> None:
    """Rewrite the undo log as earlier versions wrote it: all bytes of each edit, longer digests in a second entry."""
    entries: list[JournalEntry] = do(client, entries_backwards(KEYS, None, 1_000))
    client.delete(KEYS.journal)
    for entry in reversed(entries):
        items, digests = [], []
        for number, one in enumerate(entry.documents):
            edits = [[edit.location, edit.old, edit.new, edit.aside] for edit in one.edits]
            items.append([one.key, "json", edits, [path for path, _ in one.guards]])
            for guard, (path, digest) in enumerate(one.guards):
                whole = sha1(client.execute_command("JSON.GET", one.key, path)).hexdigest()
                assert whole.encode().startswith(digest or b"-")
                digests.append([number, guard, whole])
        blob = zlib.compress(msgpack.packb(items))
        client.xadd(KEYS.journal, {"label": entry.label, "blob": blob, "applied": ""})
        added = {"read_back": msgpack.packb([]), "digests": msgpack.packb(digests)}
        last = client.xadd(KEYS.journal, added)
    client.hset(KEYS.record, mapping={"journal_entries": 2 * len(entries), "journal_last": last})


def test_the_undo_log_of_an_earlier_version_is_rolled_back(client: redis.Redis) -> None:
    before = load(client)
    assert do(client, run(new_context(), PLAN, RunOptions())).stopped is None
    as_format_1(client)
    moved = next(key for key, text in before.items() if b'"lines"' in text and b"N/A" not in text)
    client.execute_command("JSON.ARRINSERT", moved, "$.lines", 0, '{"n":1}')
    assert do(client, rollback(new_context(), batch_documents=40)).stopped is None
    client.execute_command("JSON.ARRPOP", moved, "$.lines", 0)
    assert texts(client) == before
