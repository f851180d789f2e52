"""The next command, for each state of one index and of its data."""

import pytest

from redstart.demo.models import Visit
from redstart.mapping.model_info import declare
from redstart.migrations.indexes.plan import planned_indexes
from redstart.migrations.indexes.status import ActiveIndex, IndexStatus
from redstart.migrations.phase import CONVERT, MIGRATE_INDEXES, MigrationPhase, next_command, roll_back
from redstart.next_steps import Command

ID = "002_other"
UP_TO_DATE, EXPANDED, OUTDATED = ActiveIndex.UP_TO_DATE, ActiveIndex.EXPANDED, ActiveIndex.OUTDATED
TO_BUILD = [active for active in ActiveIndex if active not in {UP_TO_DATE, EXPANDED, OUTDATED}]
CASES = {
    **{(active, True): MIGRATE_INDEXES for active in TO_BUILD},
    **{(active, False): MIGRATE_INDEXES for active in TO_BUILD},
    (OUTDATED, True): CONVERT,  # the run builds the index first
    (OUTDATED, False): MIGRATE_INDEXES,
    (EXPANDED, True): CONVERT,
    (EXPANDED, False): MIGRATE_INDEXES,  # the cutover
    (UP_TO_DATE, True): CONVERT,
    (UP_TO_DATE, False): None,
}
"""By the state of the index, and whether the data is pending."""


def following(phase: MigrationPhase, active: ActiveIndex, *, is_pending: bool) -> Command | None:
    (planned,) = planned_indexes([declare(Visit)])
    status = IndexStatus(planned, active, None, 0, None)
    return next_command(
        roll_back(ID) if phase is MigrationPhase.ROLLING_BACK else CONVERT,
        phase,
        [status],
        {planned.key_prefix} if is_pending else (),
    )


def test_each_state_has_a_case() -> None:
    assert set(CASES) == {(active, is_pending) for active in ActiveIndex for is_pending in (True, False)}


@pytest.mark.parametrize(("active", "is_pending"), CASES)
def test_a_run_builds_what_it_needs_and_nothing_else(active: ActiveIndex, is_pending: bool) -> None:
    expected = CASES[active, is_pending]
    assert following(MigrationPhase.PENDING, active, is_pending=is_pending) == expected


@pytest.mark.parametrize("active", ActiveIndex)
def test_an_interrupted_run_is_resumed(active: ActiveIndex) -> None:
    """It builds the indexes itself."""
    assert following(MigrationPhase.MIGRATING, active, is_pending=True) == CONVERT


@pytest.mark.parametrize(("active", "is_pending"), CASES)
def test_an_interrupted_rollback_is_completed(active: ActiveIndex, is_pending: bool) -> None:
    assert following(MigrationPhase.ROLLING_BACK, active, is_pending=is_pending) == roll_back(ID)
