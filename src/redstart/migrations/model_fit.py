"""Compare models with stored documents: unmanaged documents, and fields that a model cannot read."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from redstart.commands.keyspace import key_type, scan_type
from redstart.commands.resp import mapping
from redstart.commands.search import ft_list
from redstart.commands.server_errors import is_unknown_key_type
from redstart.documents.storage_adapters import storage_adapter
from redstart.effects import Op, call
from redstart.errors import AuthenticationError, CommandError, DocumentDecodeError
from redstart.mapping.model_info import ModelDeclaration
from redstart.mapping.models import RedisModel
from redstart.mapping.renamed_fields import former_names_of
from redstart.migrations.data.edit_builder import QUARANTINE_SUFFIX
from redstart.migrations.data.reader import read_whole
from redstart.migrations.data.record import read_record
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.state import hash_key, is_built_name, is_text, read_records
from redstart.migrations.model_check import rejections
from redstart.migrations.server_checks import has_search
from redstart.migrations.state_keys import StateKeys
from redstart.migrations.transformation import Transformation
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import Storage

SAMPLE_DOCUMENTS = 100
_SAMPLE_PAGES = 20
"""A page holds few large documents: then the sample is smaller."""
_PAGE_KEYS = 1_000


@dataclass(frozen=True, slots=True)
class Unmanaged:
    """An unmanaged index, documents under a key prefix of no model, or both.

    Attributes:
        index: the name that queries use; None if there is no index.
        documents: number of keys of its type under the key prefix that belong to no model.
    """

    index: str | None
    key_prefix: str
    storage: Storage
    documents: int


@dataclass(frozen=True, slots=True)
class UnreadableField:
    """A field that a model cannot read in most of its documents.

    Attributes:
        documents: number of sampled documents with this field unreadable.
        looked_at: number of sampled documents.
        key: of one of them; `reason` says why its field cannot be read.
        is_missing: whether that document does not have the field.
    """

    model: str
    field: str
    documents: int
    looked_at: int
    key: bytes
    reason: str
    is_missing: bool = False


@dataclass(frozen=True, slots=True)
class UnknownFields:
    """Fields that most documents of a model have and the model does not declare. Saving a JsonModel removes them.

    Attributes:
        names: of these fields; `absent` names fields of the model that no document has.
        key: of one of the documents.
    """

    model: str
    names: tuple[str, ...]
    absent: tuple[str, ...]
    key: bytes
    is_json: bool


def unmanaged(
    declarations: Sequence[ModelDeclaration], index_names: Iterable[str], keys: StateKeys
) -> Op[list[Unmanaged]]:
    """Return unmanaged indexes and documents: they belonged to a model, but to none of these.

    They are known from the records of Redstart, and from the hash that redis-om stores for each index.

    Args:
        index_names: of the models.
        keys: of the data migration that knows more key prefixes, from its runs.

    Effects: reads; a pass over the keyspace for each key prefix that no model has.
    """
    known = set(index_names)
    places: dict[tuple[str, Storage], str | None] = {}
    if (yield from has_search()):
        records = yield from read_records()
        for record in records.values():
            if record.name not in known:
                places[record.key_prefix, record.final.storage] = record.name
        ours = [*known, *records]
        for name in (yield from call(ft_list())):
            if name in ours or any(is_built_name(one, name) for one in ours):
                continue
            if not (yield from _is_of_redis_om(name)):
                continue
            info = yield from find_index(name)
            if info is not None:
                for prefix in info.index.prefixes:
                    _ = places.setdefault((prefix, info.index.storage), name)
    plan = (yield from read_record(keys)).plan
    for model in () if plan is None else plan.models:
        _ = places.setdefault((model.key_prefix, model.storage), None)
    claimed = {(one.key_prefix, one.storage) for one in declarations}
    found = []
    for (prefix, storage), index in sorted(places.items()):
        if index is None and (prefix, storage) in claimed:
            continue
        exists_now = None if index is None else (yield from find_index(index))
        others = tuple(one.key_prefix.encode() for one in declarations if one.storage is storage)
        documents = yield from _count(prefix, storage, others)
        if documents or exists_now is not None:
            found.append(Unmanaged(None if exists_now is None else index, prefix, storage, documents))
    return found


def _is_of_redis_om(index: str) -> Op[bool]:
    """Return whether redis-om stores a hash for an index. One read."""
    if not is_text(index):
        return False
    try:
        return (yield from call(key_type(hash_key(index).encode()))) != b"none"
    except AuthenticationError:  # of another application: no model of this user has documents there
        return False


def unreadable_fields(
    declarations: Iterable[ModelDeclaration],
    zone: NaiveTimezone,
    transformation: Transformation,
    *,
    sample: int = SAMPLE_DOCUMENTS,
    exclude_prefixes: Iterable[str] = (),
) -> Op[list[UnreadableField]]:
    """Return the fields that a model cannot read in at least half of the sampled documents.

    Args:
        transformation: its values do not count: those that fail have reports of their own.
        sample: documents of each model to read.
        exclude_prefixes: longer key prefixes whose keys do not belong to these models.

    Effects: a few reads for each model.
    """
    found: list[UnreadableField] = []
    for declaration, others in _with_longer_prefixes(declarations, exclude_prefixes):
        found += yield from _unreadable_fields(declaration, zone, transformation, sample, others)
    return found


def _with_longer_prefixes(
    declarations: Iterable[ModelDeclaration], excluded: Iterable[str]
) -> Iterator[tuple[ModelDeclaration, tuple[bytes, ...]]]:
    """Yield each model with the longer key prefixes whose keys belong to another one, or are excluded."""
    models = list(declarations)
    prefixes = {*excluded, *(one.key_prefix for one in models)}
    for model in models:
        own = model.key_prefix
        yield model, tuple(one.encode() for one in prefixes if one != own and one.startswith(own))


def _unreadable_fields(
    declaration: ModelDeclaration,
    zone: NaiveTimezone,
    transformation: Transformation,
    sample: int,
    others: tuple[bytes, ...],
) -> Op[list[UnreadableField]]:
    keys = yield from _some_keys(declaration, sample, others)
    if not keys:
        return []
    model: type[RedisModel] = declaration.model
    read = storage_adapter(model).reader(model, zone)
    converted = {str(path.segments[0]) for path in transformation.paths(declaration)}
    counts: Counter[str] = Counter()
    examples: dict[str, tuple[bytes, str, bool]] = {}
    looked_at = 0
    for _ in range(_SAMPLE_PAGES):
        replies = yield from read_whole([(declaration.storage, key) for key in keys])
        for key, reply in zip(keys, replies, strict=False):
            if not reply:
                continue  # deleted since
            looked_at += 1
            stored = reply if declaration.storage is Storage.JSON else mapping(reply)
            try:
                _ = read(declaration.primary_key_in(key), stored)
            except DocumentDecodeError as exc:
                for field, rejection in rejections(exc, is_json=declaration.storage is Storage.JSON).items():
                    name = field.partition(".")[0].partition("[")[0]
                    if name not in converted:
                        counts[name] += 1
                        _ = examples.setdefault(name, (key, rejection.reason, rejection.is_missing))
        keys = keys[len(replies) :]
        if not keys:
            break
    return [
        UnreadableField(declaration.name, name, count, looked_at, *examples[name])
        for name, count in counts.items()
        if 2 * count >= looked_at
    ]


def unknown_fields(
    declarations: Iterable[ModelDeclaration],
    *,
    sample: int = SAMPLE_DOCUMENTS,
    exclude_prefixes: Iterable[str] = (),
) -> Op[list[UnknownFields]]:
    """Return, for each model, fields that its documents seem to store under another name, as after a rename.

    Only if no sampled document has one of the fields of the model.

    Args:
        sample: documents of each model to read, at most a page.
        exclude_prefixes: longer key prefixes whose keys do not belong to these models.

    Effects: a few reads for each model.
    """
    found: list[UnknownFields] = []
    for declaration, others in _with_longer_prefixes(declarations, exclude_prefixes):
        model: type[RedisModel] = declaration.model
        keys = yield from _some_keys(declaration, sample, others)
        if not keys or model.model_config.get("extra") == "allow":
            continue
        replies = yield from read_whole([(declaration.storage, key) for key in keys])
        current = {former: name for name, former in former_names_of(model).items()}
        stored_names = [
            {current.get(name, name) for name in _names_in(reply, declaration.storage)}
            for reply in replies
            if reply
        ]
        counts = Counter(name for names in stored_names for name in names)
        unknown = [
            name
            for name, count in counts.items()
            if 2 * count >= len(stored_names)
            and name not in {"pk", *model.model_fields}
            and not name.endswith(QUARANTINE_SUFFIX)
        ]
        absent = [name for name in model.model_fields if name != "pk" and name not in counts]
        if unknown and absent:
            found.append(
                UnknownFields(
                    declaration.name,
                    tuple(sorted(unknown)),
                    tuple(absent),
                    keys[0],
                    declaration.storage is Storage.JSON,
                )
            )
    return found


def model_of_documents(
    place: Unmanaged, declarations: Iterable[ModelDeclaration]
) -> Op[ModelDeclaration | None]:
    """Return the model whose fields most documents under a key prefix have; None if there is none. A few reads."""
    keys = yield from _keys_under(place.key_prefix, "", place.storage, SAMPLE_DOCUMENTS)
    replies = (yield from read_whole([(place.storage, key) for key in keys])) if keys else []
    stored = [
        names for reply in replies if reply and (names := set(_names_in(reply, place.storage)) - {"pk"})
    ]
    best, most = None, 0
    for declaration in declarations:
        if declaration.storage is not place.storage:
            continue
        model: type[RedisModel] = declaration.model
        fields = {name: field for name, field in model.model_fields.items() if name != "pk"}
        required = {name for name, field in fields.items() if field.is_required()}
        former = set(former_names_of(model).values())
        known = fields.keys() | former
        alike = sum(
            3 * len(names & known) >= 2 * len(names) and required <= names | former for names in stored
        )
        if 2 * alike >= max(len(stored), 1) and alike > most:
            best, most = declaration, alike
    return best


def has_documents(declaration: ModelDeclaration) -> Op[bool]:
    """Return whether a model has a document. A pass over the keyspace, up to the first one."""
    return bool((yield from _some_keys(declaration, 1)))


def _names_in(reply: Any, storage: Storage) -> Iterable[str]:
    """Return the names of the fields of a stored document; none if it is not an object."""
    if storage is Storage.HASH:
        return [name.decode(errors="backslashreplace") for name in mapping(reply)]
    content = json.loads(reply)
    return content if isinstance(content, dict) else ()


def _page(cursor: int, prefix: str, suffix: str, storage: Storage) -> Op[tuple[int, list[bytes]]]:
    """Return keys of documents and the next cursor; none of JSON if the server lacks it. One read."""
    try:
        return (
            yield from call(
                scan_type(cursor, prefix=prefix, suffix=suffix, kind=storage.key_type, count=_PAGE_KEYS)
            )
        )
    except CommandError as exc:
        if is_unknown_key_type(exc):
            return 0, []
        raise


def _some_keys(declaration: ModelDeclaration, sample: int, others: tuple[bytes, ...] = ()) -> Op[list[bytes]]:
    prefix, suffix = declaration.key_prefix, declaration.key_suffix
    return (yield from _keys_under(prefix, suffix, declaration.storage, sample, others))


def _keys_under(
    prefix: str, suffix: str, storage: Storage, sample: int, others: tuple[bytes, ...] = ()
) -> Op[list[bytes]]:
    keys: dict[bytes, None] = {}
    cursor = 0
    while len(keys) < sample:
        cursor, page = yield from _page(cursor, prefix, suffix, storage)
        keys |= dict.fromkeys(key for key in page if not key.startswith(others))
        if cursor == 0:
            break
    return list(keys)[:sample]


def _count(prefix: str, storage: Storage, others: tuple[bytes, ...]) -> Op[int]:
    """Count the keys of a type under a key prefix and under none of the others. SCAN may return a key twice."""
    count = cursor = 0
    while True:
        cursor, keys = yield from _page(cursor, prefix, "", storage)
        count += sum(not key.startswith(others) for key in dict.fromkeys(keys))
        if cursor == 0:
            return count
