"""Key prefixes that options and settings name: whether they concern keys of the models."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from redstart.display import shortened
from redstart.effects import Op
from redstart.errors import ConfigurationError
from redstart.mapping.model_info import ModelDeclaration
from redstart.migrations.data.plan import longer_than
from redstart.migrations.data.record import read_record
from redstart.migrations.state_keys import StateKeys


@dataclass(frozen=True, slots=True)
class PrefixChecks:
    """Checks against the key prefixes of models.

    Attributes:
        keys: of the state in which models of earlier runs are recorded.
        declarations: the models.
    """

    keys: StateKeys
    declarations: Collection[ModelDeclaration]

    def known(self) -> Op[list[str]]:
        """Return the key prefixes of the models, given or recorded. One read."""
        recorded = (yield from read_record(self.keys)).known_models
        return sorted({*recorded, *(one.key_prefix for one in self.declarations)})

    def unused(self, prefixes: Iterable[str]) -> Op[list[str]]:
        """Return those prefixes that are longer than the key prefix of no model. One read."""
        known = yield from self.known()
        return [
            one
            for one in dict.fromkeys(prefixes)
            if known and not any(longer_than(each, [one]) for each in known)
        ]

    def warnings(self, prefixes: Iterable[str]) -> Op[list[str]]:
        """Return a warning for each exclusion in the settings that concerns no keys. One read."""
        return [
            f"exclude_prefixes in pyproject.toml has {prefix!r}, which has no effect: it does not begin with the key "
            "prefix of one of these models."
            for prefix in (yield from self.unused(prefixes))
        ]

    def require_used(self, option: str, prefixes: Iterable[str]) -> Op[None]:
        """Raise ConfigurationError if a prefix concerns no keys. A read, if there are any.

        Args:
            option: the option that names them.
        """
        given = list(prefixes)
        for prefix in (yield from self.unused(given)) if given else ():
            raise ConfigurationError(
                f"{option} {shortened(prefix)} has no effect: it does not begin with the key prefix of a model.",
                f"The key prefixes are: {', '.join((yield from self.known()))}. Give a longer prefix that "
                "begins with one of them. To select models, name their modules with --models.",
            )
