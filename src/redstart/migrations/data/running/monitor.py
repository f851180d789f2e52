"""What a run tells whoever watches it, and how it is asked to stop."""

from collections.abc import Callable
from dataclasses import dataclass, field

from redstart.migrations.data.state.failures import Failure


@dataclass(frozen=True, slots=True)
class Progress:
    """One step's news.

    Attributes:
        stage: what is being done, in one or two words.
        number: of the pass, 0 where there is only one.
        done, total: documents (or journal entries); total is 0 while unknown.
        failures: values that did not convert so far.
    """

    stage: str
    number: int
    done: int
    total: int
    failures: int


@dataclass(slots=True)
class Monitor:
    """Callbacks of an operation. They run between requests and must not send any.

    Attributes:
        progress: called after each page.
        failure: called for each value that did not convert.
        waiting: told whose lease is waited for.
        stop_requested: asked between pages; True ends the run with its progress saved.
    """

    progress: Callable[[Progress], None] = field(default=lambda _: None)
    failure: Callable[[Failure], None] = field(default=lambda _: None)
    waiting: Callable[[str], None] = field(default=lambda _: None)
    stop_requested: Callable[[], bool] = field(default=lambda: False)
