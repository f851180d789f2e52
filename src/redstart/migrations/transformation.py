"""The interface of a data migration: the values it reads, how each is classified and converted, and its inverse.

The document engine reads, writes, records and restores. A `Transformation`, in its own module, contains everything
about values.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, NamedTuple, TypeAlias

from redstart.errors import PlanChangedError
from redstart.mapping.model_info import ModelDeclaration
from redstart.mapping.models import RedisModel
from redstart.mapping.value_paths import Location, ValuePath
from redstart.migrations.state_keys import StateKeys
from redstart.next_steps import Hint
from redstart.values.lossless_json import JsonValue
from redstart.values.types import Storage


class Classification(StrEnum):
    """The classification of one value, in the order of `stats`."""

    CONVERTIBLE = "convertible"
    ALREADY = "converted"
    """A value in the new format: converted before, or a pre-existing value."""
    NULL = "null"
    LOSSY = "lossy"
    """Convertible, but the new value does not hold all of the old one."""
    UNCONVERTIBLE = "unconvertible"


class Edit(NamedTuple):
    """One value to change. `None` bytes mean that there is no value.

    Attributes:
        aside: the location to which quarantine moves the old bytes; `location` itself gets `new`.
        converts: whether it counts as a conversion; `lossy`: whether as a lossy one.
        restores: whether the quarantined bytes move back from `aside`, as in a rollback.
        expiry_of: the hash field whose expiry a new field inherits; of several fields, the first expiry.
        expires_ms: when a restored hash field expires, in milliseconds since 1970; 0 for never.
        members: names of all members of a JSON object from which one was removed, in their order, to restore it.
        group: edits of a document with the same number are undone together or not at all; None for an edit by itself.
    """

    location: Location
    old: bytes | None
    new: bytes | None
    aside: Location | None = None
    converts: bool = False
    lossy: bool = False
    restores: bool = False
    expiry_of: Location | None = None
    expires_ms: int = 0
    members: tuple[str, ...] = ()
    group: int | None = None


class EditSet(NamedTuple):
    """Edits of one document that are applied together.

    Attributes:
        unchanged: values on which the edits depend: compared before the edits, and not changed.
        marks: what is recorded with them, see `redstart.migrations.data.edit_builder`.
    """

    edits: tuple[Edit, ...] = ()
    unchanged: tuple[tuple[Location, bytes | None], ...] = ()
    marks: tuple[bytes, ...] = ()


class Conversion(NamedTuple):
    """The conversion of one value, or the reason why it is left unchanged."""

    outcome: Classification
    new: bytes | None = None
    """The bytes to store, of a hash value or as JSON text; None if nothing is written."""
    reason: str | None = None
    """Why the value loses something or cannot be converted."""
    is_default_style: bool | None = None
    """Whether the old value had the default one of two styles of its format; None if it had neither."""
    edits: EditSet | None = None
    """The edits of the document, in place of one that writes `new`; None for just that one."""


RecordedSettings: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values of the settings on which the new values depend. They are part of the plan."""

ABSENT, DEFAULT_STYLE, OTHER_STYLE, CONVERTED, NULL = range(5)
"""What a plain value is: absent; convertible, and of the default or the other style; converted; null."""


class PlainValues(NamedTuple):
    """Some values of one kind, converted.

    Attributes:
        kinds: what each of them is; None if it is not plain.
        new: the bytes that replace it, or None.
        times: its calendar time in microseconds since 1970, from which `written_number` makes `new`; None if `new` is
            another number, or there is none.
    """

    kinds: Sequence[int | None]
    new: Sequence[bytes | None]
    times: Sequence[int | None]


@dataclass(frozen=True, slots=True)
class PlainConverter:
    """Converts many values of one kind: bytes of hashes, or scalar values of JSON documents as text.

    Attributes:
        classify: returns the kinds alone.
    """

    convert: Callable[[Sequence[bytes]], PlainValues]
    classify: Callable[[Sequence[bytes]], Sequence[int | None]]


@dataclass(frozen=True, slots=True)
class Texts:
    """Messages in the terms of a migration.

    Attributes:
        values: what is converted, in the plural.
        unconverted: a value still has the old format.
        preexisting: a value had the new format before the first run.
        no_inverse: a value in the new format has no equivalent in the old one.
        may_be_default: a value may be a default in place of a failed value.
        left_out: a rollback does not scan the document of a converted value.
        default: that default, for people.
        undeclared: a model no longer declares the field of a converted value; with `{model}`.
        plan_changed: an interrupted run had another plan.
    """

    values: str = "values"
    unconverted: str = "not converted"
    preexisting: str = "pre-existing value"
    no_inverse: str = "no equivalent in the old format"
    may_be_default: str = "ambiguous: a value, or the default that replaced a failed value"
    left_out: str = "excluded by a prefix, and changed since the run"
    default: str = "the default"
    undeclared: str = "a converted value in a field that {model} no longer declares"
    plan_changed: str = "The models have changed since the interrupted run was started."


class Transformation(ABC):
    """One data migration. Immutable and without I/O.

    A value in the new format has to be classified as ALREADY, and so has the default: otherwise a pass over the data
    would never find everything converted.

    Attributes:
        migration_id: names the state on the server, and the migration on the command line.
        title: its effect, in the imperative.
        changes_indexes: whether some values change the type of an index attribute; see `index_attribute`.
    """

    __slots__ = ()

    migration_id: ClassVar[str]
    title: ClassVar[str]
    texts: ClassVar[Texts] = Texts()
    is_known_to_redis_om: ClassVar[bool] = True
    decided_by_shape: bool = True
    makes_marks: bool = False
    changes_indexes: ClassVar[bool] = False

    def as_applied(self) -> "Transformation":
        """Return this transformation for documents that are all converted, as far as they do not show it themselves."""
        return self

    @property
    def settings(self) -> RecordedSettings:
        """The settings of this transformation; none by default."""
        return ()

    def as_recorded(
        self,
        settings: RecordedSettings,
        kinds: Collection[str],  # noqa: ARG002 - the transformation may know its types
    ) -> "Transformation":
        """Return this transformation as the runs of a stored plan used it.

        Args:
            settings: of the stored plan.
            kinds: of the paths in the stored plan.

        Raises:
            ConfigurationError, PlanChangedError: this process cannot use these settings.
            StateDamagedError: the plan is not one of this migration.
        """
        if settings != self.settings:
            raise self.settings_error(settings, self.settings)
        return self

    def settings_error(self, stored: RecordedSettings, current: RecordedSettings) -> PlanChangedError:
        """Return the error for a run with other settings than those in the stored plan."""
        return PlanChangedError(
            f"The settings of {self.migration_id} were {_shown(stored)}, and are now {_shown(current)}.",
            Hint(
                "Restore the settings, or roll back first with: ",
                StateKeys(self.migration_id).rollback_command(),
            ),
        )

    @abstractmethod
    def paths(self, declaration: ModelDeclaration) -> tuple[ValuePath, ...]:
        """Return the paths of a model whose values are converted; empty if it has none."""

    def conflicts(
        self,
        name: str,  # noqa: ARG002 - for messages
        paths: Sequence[ValuePath],  # noqa: ARG002 - without types there is no conflict
        other: type[RedisModel],  # noqa: ARG002 - the same
    ) -> Iterator[str]:
        """Yield a description of each path of a model whose values another model with the same keys reads otherwise.

        Args:
            name: of the model with these paths.
        """
        yield from ()

    @abstractmethod
    def convert_hash(self, raw: bytes, path: ValuePath) -> Conversion:
        """Classify and convert the value of a hash field."""

    @abstractmethod
    def convert_json(self, value: JsonValue, path: ValuePath) -> Conversion:
        """Classify and convert a value inside a JSON document, as `parse_json` returns it."""

    def plain_converter(
        self,
        kind: str,  # noqa: ARG002 - only a faster converter needs it
        storage: Storage,  # noqa: ARG002 - the same
    ) -> PlainConverter | None:
        """Return a faster converter for values at paths of a kind, if they are of the usual kind. None without one.

        Its results have to equal those of `convert_hash` and `convert_json` for every value. In JSON it converts to
        numbers that the server stores exactly: at most 16 digits, 1 or more unless they are whole.
        """
        return None

    @abstractmethod
    def convert_back(
        self, raw: bytes, path: ValuePath, storage: Storage, *, is_default_style: bool
    ) -> bytes | None:
        """Return the equivalent of a value in the old format, for one that was written since the run.

        Args:
            is_default_style: which of the two styles most values of the field had before the run.

        Returns:
            Bytes of a hash value, or JSON text; None if there is no equivalent.
        """

    @abstractmethod
    def default(self, storage: Storage) -> bytes:
        """Return what replaces a failed value in failure mode `default`."""

    def is_default(self, stored: bytes) -> bool:
        """Return whether a stored value may be the default, however the server writes it."""
        return stored in (self.default(Storage.HASH), self.default(Storage.JSON))

    def quarantined(self, storage: Storage) -> bytes | None:
        """Return the value in place of a quarantined one; None for no value, which is possible only in a hash."""
        return None if storage is Storage.HASH else b"null"

    def is_same(self, stored: bytes, sent: bytes) -> bool:
        """Return whether the server stored what was sent, perhaps as another text."""
        return stored == sent

    def index_attribute(
        self,
        path: ValuePath,  # noqa: ARG002 - by default no attribute changes
    ) -> str | None:
        """Return the name of the index attribute that changes from text to number with the values at a path.

        None if the attribute keeps its type, or there is none. No other change of a type is possible without downtime:
        a dual-format index accepts text and numbers.
        """
        return None


def _shown(settings: RecordedSettings) -> str:
    return ", ".join(f"{name} = {value}" for name, value in settings) or "not set"
