"""The first reason why a run would be refused, for a dry run."""

from collections.abc import Callable, Iterable

from redstart.effects import Op
from redstart.errors import AuthenticationError, ConfigurationError, MigrationError
from redstart.migrations.outcomes import Refusal


def first_refusal(
    checks: Iterable[Callable[[], Op[object] | None]],
) -> Op[tuple[Refusal | None, list[AuthenticationError]]]:
    """Return the error of the first check that fails, and the errors of checks that were not permitted."""
    unchecked: list[AuthenticationError] = []
    for check in checks:
        try:
            operation = check()
            if operation is not None:
                _ = yield from operation
        except (ConfigurationError, MigrationError) as exc:
            return exc, unchecked
        except (
            AuthenticationError
        ) as exc:  # the user of a preview may have fewer permissions than that of a run
            unchecked.append(exc)
    return None, unchecked
