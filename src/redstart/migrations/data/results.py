"""Options of a run of the data migration, and results of runs and rollbacks."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.failure import Failure


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options that may change from one run to the next, also when a run is resumed.

    Attributes:
        batch_documents: keys scanned per batch, and read in one round trip.
        max_errors: stop at this many failed values, not counting those that are recorded already.
        limit_documents: stop after this many changed documents.
        clearing: see `edit_builder.edits_for`.
        resume: False to start again after an interrupted run, and to ignore its checkpoint.
        ends_beside_writers: whether the run is complete although an old version writes, because a later cleanup
            converts what it has written since; see `Passes.run`.
    """

    failure_mode: FailureMode = FailureMode.LOG_AND_SKIP
    batch_documents: int = 1_000
    max_errors: int | None = None
    limit_documents: int | None = None
    clearing: frozenset[tuple[str, str]] = frozenset()
    resume: bool = True
    ends_beside_writers: bool = False


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a run. Counts are of values, except `documents` and `conflicts_retried`.

    Attributes:
        stopped: why the run stopped early, with its progress saved; None if it is complete.
        documents: scanned in the last pass, up to the one at which it stopped.
        converted, lossy: changed by this run, its interrupted parts included.
        already_converted, null: counts of the initial scan, over all documents; without the values in `cleared`.
        cleared: empty values that were removed, because a new index does not accept them.
        errors: failed values.
        undoable: whether there is anything to roll back.
        without_undo_log: values that were converted before the undo log was dropped, and stay converted.
        unmatched: key prefixes of models without any document; empty if the run stopped early.
        seconds: duration of this process' part.
        missing: documents of the initial scan that were gone at the end: deleted, expired, renamed or moved by others.
        disappeared: of these, by key prefix, the documents of models that have none left. Then the run is stopped.
        changed_by_last_pass: documents that a complete run changed in its last pass: an old version of the application
            writes next to it, so that documents that it wrote since are probably not converted. 0 if nothing was left.
    """

    stopped: str | None
    resumed: bool
    documents: int
    converted: int
    already_converted: int
    null: int
    lossy: int
    errors: int
    conflicts_retried: int
    passes: int
    undoable: bool
    without_undo_log: int
    seconds: float
    unmatched: tuple[str, ...] = ()
    cleared: int = 0
    missing: int = 0
    disappeared: Mapping[str, int] = field(default_factory=dict)
    changed_by_last_pass: int = 0


@dataclass(frozen=True, slots=True)
class DataRollbackResult:
    """The result of a rollback.

    Attributes:
        stopped: why it stopped early, with its progress saved; None if it is complete.
        documents: number of written documents.
        restored_exactly: values whose original bytes are restored.
        reformatted: newer values, rewritten in the old format.
        kept: values without an equivalent in the old format, left unchanged; `examples`: the first of them.
        unrestored: originals that stay on the server, because the value that the run wrote in their place was
            changed or deleted since; `unrestored_examples`: the first of them.
        preexisting_numbers: pre-existing values, left unchanged; `number_examples`: the first of them. Covers the
            whole keyspace only if the rollback is complete.
        without_undo_log: values that were converted before the undo log was dropped, and stay converted.
        nothing_to_do: whether there was no run to roll back.
    """

    stopped: str | None = None
    documents: int = 0
    restored_exactly: int = 0
    reformatted: int = 0
    kept: int = 0
    examples: list[Failure] = field(default_factory=list)
    unrestored: int = 0
    unrestored_examples: list[Failure] = field(default_factory=list)
    preexisting_numbers: int = 0
    number_examples: list[Failure] = field(default_factory=list)
    without_undo_log: int = 0
    nothing_to_do: bool = False
    seconds: float = 0.0
