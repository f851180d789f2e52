"""Which data is converted, as far as indexes may rely on it."""

from collections.abc import Iterable

from redstart.effects import Op
from redstart.migrations.data.checkpoint import load_checkpoint
from redstart.migrations.data.keys import StateKeys
from redstart.migrations.data.plan import PlannedModel
from redstart.migrations.data.record import read_record


def converted_prefixes(keys: StateKeys, models: Iterable[PlannedModel]) -> Op[set[str]]:
    """The key prefixes of models whose data is converted as they are declared today.

    None from the moment a rollback begins: it lets indexes serve that take both forms before it writes, and an index
    of numbers must not take over any more.

    Effects: two reads.
    """
    checkpoint = yield from load_checkpoint(keys)
    if checkpoint is not None and checkpoint.stage.undoes:
        return set()
    record = yield from read_record(keys)
    return {model.key_prefix for model in models if record.is_applied(model)}


def none_converted() -> Op[set[str]]:
    """For what comes before the data, whatever is converted already. No I/O."""
    yield from ()
    return set()
