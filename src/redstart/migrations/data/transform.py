"""From a document as read to the edits it needs, under one of the failure modes."""

from collections.abc import Collection
from enum import StrEnum

from redstart.mapping.paths import Each
from redstart.migrations.data.convert import Outcome, Verdict, convert_hash_value, convert_json_value
from redstart.migrations.data.documents import DocumentEdits, Edit, StoredDocument, StoredValue
from redstart.migrations.data.jsonpath import Location, can_be_set, in_list, path_text, siblings_path
from redstart.values.json_text import JsonNumber, restores_exactly
from redstart.values.kinds import Storage
from redstart.values.timezones import NaiveTimezone

DEFAULT_NUMBER = b"0.0"
"""What failure mode `default` writes: the first of January 1970."""

QUARANTINE_SUFFIX = "__invalid"


_NO_PATH = Verdict(Outcome.UNCONVERTIBLE, reason="RedisJSON has no path that changes only this list item")


class FailureMode(StrEnum):
    """What to do with a value that will not convert."""

    SKIP = "skip"
    FAIL = "fail"
    DEFAULT = "default"
    LOG_AND_SKIP = "log_and_skip"
    QUARANTINE = "quarantine"


CLEARING_MODES = (FailureMode.DEFAULT, FailureMode.QUARANTINE)
"""What changes values that will not convert also takes away empty ones that are in an index's way."""

Judged = tuple[StoredValue, Verdict]
"""A value and its verdict; a plain pair, for there are millions."""


JudgedDocument = tuple[StoredDocument, list[Judged]]


def judge(document: StoredDocument, naive_timezone: NaiveTimezone) -> list[Judged]:
    """A verdict for each value of a document."""
    is_hash = document.model.storage is Storage.HASH
    judged: list[Judged] = []
    for value in document.values:
        kind, optional = value.path.kind, value.path.optional
        if value.misplaced is not None:
            verdict = Verdict(Outcome.UNCONVERTIBLE, reason=value.misplaced)
        elif is_hash:
            verdict = convert_hash_value(
                value.raw, kind=kind, optional=optional, naive_timezone=naive_timezone
            )
        else:
            verdict = convert_json_value(
                value.parsed, kind=kind, optional=optional, naive_timezone=naive_timezone
            )
            if verdict.new is not None and cannot_be_written(value.location):
                verdict = _NO_PATH
        judged.append((value, verdict))
    return judged


def edits_for(
    document: StoredDocument,
    judged: list[Judged],
    mode: FailureMode,
    clearing: Collection[tuple[str, str]] = (),
) -> DocumentEdits:
    """The edits that convert a document, and those its failure mode makes of values that will not convert.

    Args:
        clearing: hash fields, by key prefix and name, from which an empty value has to go because an index of
            numbers would not take its document. Only `default` and `quarantine` take it away.
    """
    json = document.model.storage is Storage.JSON
    result = DocumentEdits(document.key, json, [])
    for value, verdict in judged:
        if verdict.new is not None:
            lossy = verdict.outcome is Outcome.LOSSY
            result.edits.append(Edit(value.location, value.raw, verdict.new, converts=True, lossy=lossy))
        elif (
            verdict.outcome is Outcome.UNCONVERTIBLE
            and (edit := _edit_of_failure(document, value, mode)) is not None
        ):
            result.edits.append(edit)
        elif verdict.outcome is Outcome.NULL and mode in CLEARING_MODES and not json:
            in_the_way = (document.model.key_prefix, value.location[0]) in clearing
            result.edits += [Edit(value.location, value.raw, None)] if in_the_way else []
    if json:
        result.guards = [(path, None) for path in guard_paths(result.edits, large=document.large)]
    return result


def guard_paths(edits: list[Edit], *, large: bool = False) -> list[str]:
    """The outermost list of every edit that lies in one; of a large document just the values like it in the list."""
    if large:
        values = (siblings_path(edit.location) for edit in edits if in_list(edit.location))
        return list(dict.fromkeys(values))
    lists = (_outermost_list(edit.location) for edit in edits if in_list(edit.location))
    return [path_text(location) for location in dict.fromkeys(lists)]


def cannot_be_written(location: Location) -> bool:
    """Whether RedisJSON has no way to change just this place: a list item behind a key with hostile quotes."""
    return in_list(location) and not can_be_set(location)


def _outermost_list(location: Location) -> Location:
    return location[: next(index for index, step in enumerate(location) if isinstance(step, int))]


def _edit_of_failure(document: StoredDocument, value: StoredValue, mode: FailureMode) -> Edit | None:
    if value.misplaced is not None:
        return None  # what stands here is not the value: replacing it would destroy a whole list or object
    if cannot_be_written(value.location) or not _restores_exactly(value.parsed):
        return None  # once overwritten, it could not be brought back byte for byte
    if isinstance(value.parsed, dict) and not can_be_set(value.location):
        return None  # nor could this: only a merge writes here, and it would drop the object's nulls
    if mode is FailureMode.DEFAULT:
        return Edit(value.location, value.raw, DEFAULT_NUMBER)
    if mode is FailureMode.QUARANTINE and can_be_quarantined(value):
        aside = (*value.location[:-1], f"{value.location[-1]}{QUARANTINE_SUFFIX}")
        new = None if document.model.storage is Storage.HASH else b"null"
        return Edit(value.location, value.raw, new, aside)
    return None


def can_be_quarantined(value: StoredValue) -> bool:
    """Only a named field has room beside it: list items and map values stay."""
    return not any(isinstance(step, Each | int) for step in value.path.segments)


def _restores_exactly(parsed: object) -> bool:
    """Whether the server, sent this JSON value again, answers the same text."""
    if isinstance(parsed, JsonNumber):
        return restores_exactly(parsed)
    if isinstance(parsed, list):
        return all(map(_restores_exactly, parsed))
    return not isinstance(parsed, dict) or all(map(_restores_exactly, parsed.values()))
