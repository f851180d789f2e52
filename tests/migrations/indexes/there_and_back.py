"""The operations of commands, for some models: expand indexes, run a migration, and roll it back."""

from functools import partial
from typing import Any

from redstart.mapping.model_info import declare
from redstart.migrations.coordinator import migrate_back, migrate_forward
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.data.plan import make_plan
from redstart.migrations.data.record import converted_prefixes
from redstart.migrations.data.results import RunOptions
from redstart.migrations.indexes.expand import ExpansionOptions, IndexResult
from redstart.migrations.indexes.plan import planned_indexes
from redstart.migrations.options import RollbackOptions
from redstart.migrations.run_results import MigrationResult, RollbackResult
from tests.migrations.indexes.conftest import migration, perform
from tests.support.migration import KEYS, new_context


def expand(url: str, *models: Any) -> list[IndexResult]:
    """`om migrate run`."""
    declarations = list(map(declare, models))
    converted = partial(
        converted_prefixes, KEYS, make_plan(declarations, DatetimeConversion.of_zone("UTC")).models
    )
    results = perform(url, migration().run(planned_indexes(declarations), converted, ExpansionOptions()))
    return list(results)


def forward(url: str, *models: Any, options: ExpansionOptions | None = None) -> MigrationResult:
    """`om migrate-data run`."""
    declarations = list(map(declare, models))
    plan, planned = make_plan(declarations, DatetimeConversion.of_zone("UTC")), planned_indexes(declarations)
    options = options or ExpansionOptions()
    operation = migrate_forward(new_context(), plan, RunOptions(), planned, migration(), options)
    done: MigrationResult = perform(url, operation)
    return done


def back(url: str) -> RollbackResult:
    """`om migrate-data rollback`."""
    done: RollbackResult = perform(url, migrate_back(new_context(), migration(), RollbackOptions()))
    return done
