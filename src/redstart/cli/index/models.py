"""Options and arguments of `om index`: which models a command is about."""

from collections.abc import Sequence

import click

from redstart.cli.options import F, json_output, models_option_of, url_option, yes
from redstart.cli.session import Session
from redstart.display import did_you_mean
from redstart.errors import ConfigurationError
from redstart.migrations.indexes.plan import PlannedIndex


def index_options(command: F) -> F:
    """Add MODEL, --url, --models with redis-om's --module, --yes and --json."""
    for option in (json_output, models_option_of("-m", "--module"), url_option, yes, _models):
        command = option(command)
    return command


_models = click.argument("names", metavar="[MODEL]...", nargs=-1)


def chosen_indexes(session: Session, names: Sequence[str]) -> list[PlannedIndex]:
    """Return the indexes of the named models; those of all models without names.

    Args:
        names: classes, with or without their module, or names of indexes.

    Raises:
        ConfigurationError: a name is unknown, or several models have it.
    """
    planned = session.planned_indexes()
    chosen: dict[str, PlannedIndex] = {}
    for name in names:
        found = [one for one in planned if name in (one.model, one.name)] or [
            one for one in planned if one.model.rpartition(".")[2] == name
        ]
        if not found:
            short = [one.model.rpartition(".")[2] for one in planned]
            raise ConfigurationError(
                f"There is no model {name!r} in --models.",
                did_you_mean(name, short) or f"The models are: {', '.join(one.model for one in planned)}",
            )
        if len(found) > 1:
            raise ConfigurationError(
                f"Several models have the name {name!r}.",
                f"Use one of: {', '.join(one.model for one in found)}",
            )
        chosen[found[0].name] = found[0]
    return list(chosen.values()) if names else list({one.name: one for one in planned}.values())
