"""Tables of what a look at the data found: `stats` and `run --dry-run` show the same."""

from collections.abc import Sequence

from redstart.cli.drawing import table
from redstart.cli.migrate_data.reports import VALUE_NAMES
from redstart.cli.output import line
from redstart.migrations.data.counting.statistics import FieldStatistics, ModelStatistics, Statistics
from redstart.migrations.data.judging.convert import Outcome
from redstart.migrations.data.planned.plan import PlannedModel
from redstart.migrations.data.state.failures import Failure
from redstart.migrations.outcomes import unmatched_message

CHECK_PREFIXES = (
    "Check the server and the number of its database (--url), and the prefixes (--models; Meta.global_key_prefix, "
    "Meta.model_key_prefix, the module's name), unless there is to be no data yet."
)


def short_names(models: Sequence[PlannedModel]) -> dict[str, str]:
    """By full name the class alone, where no two are called the same: a table has room for that."""
    last = [model.name.rpartition(".")[2] for model in models]
    return {
        model.name: name if last.count(name) == 1 else model.name
        for model, name in zip(models, last, strict=True)
    }


def draw_models(found: Statistics) -> None:
    """One row for each model."""
    names = short_names([model.model for model in found.models])
    rows = [[names[model.model.name], model.documents, *_counts(model.fields)] for model in found.models]
    table("Values by model", ["model", "documents", *VALUE_NAMES], rows)


def draw_nothing_found(models: Sequence[PlannedModel]) -> None:
    """That there is no document at all, and what would make that wrong: another server, or other prefixes."""
    if models:
        line(unmatched_message([model.key_prefix for model in models]))
        line(CHECK_PREFIXES)
    else:
        line("0 documents were read: no model has a field with dates that are stored as numbers.")


def draw_fields(model: ModelStatistics) -> None:
    """One row for each field of a model."""
    rows = [[str(field.path), field.path.kind.value, *_counts([field])] for field in model.fields]
    title = f"{model.model.name}: {model.documents:,} documents under {model.model.key_prefix}"
    table(title, ["field", "kind", *VALUE_NAMES], rows)


def draw_failures(failures: Sequence[Failure], count: int, most: int) -> None:
    """The first values that would not convert, and how many there are."""
    if not count:
        return
    line(f"{count:,} values would not convert:")
    for failure in failures[:most]:
        line(f"  {failure}")
    if count > len(failures[:most]):
        line(f"  ... and {count - len(failures[:most]):,} more")
    line("")


def _counts(fields: Sequence[FieldStatistics]) -> list[int]:
    return [sum(field.values[outcome] for field in fields) for outcome in _OUTCOMES]


_OUTCOMES: tuple[Outcome, ...] = tuple(VALUE_NAMES.values())
