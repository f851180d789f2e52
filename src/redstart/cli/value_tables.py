"""Tables of documents and values, and failed values grouped by fate and cause: several commands print the same ones."""

from collections.abc import Sequence

from redstart.cli.output import counted, line, rounded
from redstart.cli.tables import next_step, table
from redstart.migrations.data.plan import PlannedModel
from redstart.migrations.data.statistics import FieldStatistics, ModelStatistics, Statistics
from redstart.migrations.failure import NOT_RESTORED, Failure, FailureSummary, Fate
from redstart.migrations.outcomes import RecordedFailures
from redstart.migrations.run_results import unmatched_message
from redstart.migrations.transformation import Classification
from redstart.next_steps import Command

FATES = {
    Fate.QUARANTINED: ("quarantined", "moved to <field>__invalid"),
    Fate.REPLACED: ("replaced by 0.0", "replaced by 0.0"),
    Fate.UNCHANGED: ("failed", "left unchanged"),
}
"""The label of a row in a result, and the fate of its values."""


EXAMPLE_LINES = 9
"""Examples of failures, of all reasons together, but at least one for each."""


def draw_failures(found: FailureSummary, *, would: bool = False, with_examples: bool = True) -> None:
    """Print how many values failed for each reason, with the first of them.

    Args:
        would: whether this is a prediction.
        with_examples: False if all of them are listed.
    """
    for fate, (_, what) in FATES.items():
        if not found.fates[fate]:
            continue
        line(f"Failed values, {'to be ' if would else ''}{what}: {found.fates[fate]:,}")
        groups = found.groups(fate)
        examples = max(1, EXAMPLE_LINES // len(groups))
        digits = max(len(f"{group.count:,}") for group in groups)
        for group in groups:
            margin = " " * (digits + 4)
            line(f"  {group.count:>{digits},}  {group.cause}")
            for failure in group.examples[:examples] if with_examples else ():
                line(f"{margin}{_place_and_value(failure)}")
        line("")


def draw_all_failures(found: FailureSummary) -> None:
    """Print a line for each recorded failure."""
    for failure in found.first:
        line(f"failed: {failure}")
    if found.count > len(found.first):
        line(f"... {found.count - len(found.first):,} more")
    line("")


def draw_failures_hint() -> None:
    """Print how to list each failure of a run."""
    next_step("List each failed value with", Command("migrate-data errors"))


def _place_and_value(failure: Failure) -> str:
    place = failure.place
    return f"{place}: {failure.shown_value}" if failure.value else place


CHECK_PREFIXES = (
    "If there should be data: check the server and the database number (--url), and the key prefixes (--models; "
    "Meta.global_key_prefix, Meta.model_key_prefix; without these a prefix contains the module name)."
)

TITLES = {
    Classification.CONVERTIBLE: "convertible",
    Classification.ALREADY: "numeric",
    Classification.NULL: "null",
    Classification.LOSSY: "rounded",
    Classification.UNCONVERTIBLE: "failed",
}


def short_names(models: Sequence[PlannedModel]) -> dict[str, str]:
    """Return, by full name, the class name alone, unless two models have the same: a table has room for that."""
    last = [model.name.rpartition(".")[2] for model in models]
    return {
        model.name: name if last.count(name) == 1 else model.name
        for model, name in zip(models, last, strict=True)
    }


def draw_models(found: Statistics) -> None:
    """Print one row for each model."""
    names, shown = short_names([model.model for model in found.models]), _shown_outcomes(found)
    rows = [
        [names[model.model.name], *_shown_numbers(found, [model.documents, *_counts(model.fields, shown)])]
        for model in found.models
    ]
    table(
        f"Values by model{_if_estimated(found)}",
        ["model", "documents", *(TITLES[outcome] for outcome in shown)],
        rows,
    )


def draw_nothing_found(models: Sequence[PlannedModel]) -> None:
    """Print that there are no documents, and what to check if there should be."""
    line(nothing_found_message(models))
    if models:
        line(CHECK_PREFIXES)


def nothing_found_message(models: Sequence[PlannedModel]) -> str:
    """Return the message that there are no documents."""
    if models:
        return unmatched_message([model.key_prefix for model in models])
    return "No model has a field of dates to convert."


def draw_fields(found: Statistics, model: ModelStatistics) -> None:
    """Print one row for each field of a model."""
    shown = _shown_outcomes(found)
    fates = _shown_fates(found)
    if fates:
        shown.remove(Classification.UNCONVERTIBLE)
    rows = [
        [
            str(field.path),
            str(field.path.kind),
            *_shown_numbers(found, _counts([field], shown)),
            *(field.fates[fate] for fate in fates),
        ]
        for field in model.fields
    ]
    (documents,) = _shown_numbers(found, [model.documents])
    title = (
        f"{model.model.name}: {documents:,} documents under {model.model.key_prefix}{_if_estimated(found)}"
    )
    columns = [*(TITLES[outcome] for outcome in shown), *(FATES[fate][0] for fate in fates)]
    table(title, ["field", "type", *columns], rows)


def count_rows(
    *, rounded: int, numeric: int, null: int, failed: int, failures: FailureSummary
) -> list[tuple[str, int]]:
    """Return rows that count each value once, without those that are 0.

    Args:
        failures: if these are all that failed, there is a row for each fate.
    """
    rows = [("rounded", rounded), ("already numeric", numeric), ("null", null)]
    if failures.count == failed:
        rows += [(row, failures.fates[fate]) for fate, (row, _) in FATES.items()]
    else:
        rows.append(("failed", failed))
    return [(row, count) for row, count in rows if count]


def summary_of(found: RecordedFailures) -> str:
    """Return how many failed values there are, and in how many documents."""
    originals = sum(failure.reason.startswith(NOT_RESTORED) for failure in found.listed)
    of_rollback = f"{counted(originals, 'original')} that the last rollback could not restore"
    if originals and originals == found.count:
        return of_rollback
    if originals:
        return f"{counted(found.count - originals, 'failed value')}, and {of_rollback}"
    values = counted(found.count, "failed value")
    if found.not_listed:
        return f"{values}, of which {found.not_listed:,} are only counted and not recorded"
    return f"{values} in {counted(len({failure.key for failure in found.listed}), 'document')}"


def _shown_numbers(found: Statistics, numbers: Sequence[int]) -> list[int]:
    """Return numbers as they are shown: those of a sample are rounded."""
    return list(numbers) if found.exact else [rounded(number) for number in numbers]


def _if_estimated(found: Statistics) -> str:
    return "" if found.exact else " (estimate)"


def _shown_outcomes(found: Statistics) -> list[Classification]:
    """Return the outcomes that some value has; the convertible ones are always shown."""
    return [outcome for outcome in TITLES if found.total(outcome) or outcome is Classification.CONVERTIBLE]


def _shown_fates(found: Statistics) -> list[Fate]:
    """Return the fates that some failed value has, if the fate of each is known."""
    fates = found.survey.failures.fates
    return [fate for fate in FATES if fates[fate]] if found.exact else []


def _counts(fields: Sequence[FieldStatistics], outcomes: Sequence[Classification]) -> list[int]:
    return [sum(field.values[outcome] for field in fields) for outcome in outcomes]
