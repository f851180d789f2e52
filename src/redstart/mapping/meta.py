"""Settings of a model: its `class Meta`, merged with those of its base classes."""

import dataclasses
import warnings
from difflib import SequenceMatcher
from typing import Any, ClassVar, Final
from weakref import WeakSet

from redstart.display import did_you_mean
from redstart.errors import RedisModelError
from redstart.mapping.primary_keys import PrimaryKey, PrimaryKeyCreator, UlidPrimaryKey

OWN_TO_EACH_MODEL = ("model_key_prefix", "index_name")
"""Settings that identify one model, and are not inherited."""

OUR_MODELS = ("redstart.mapping.", "redstart.aio.", "redstart.sync.")
"""Base classes of models. They have no documents, so subclasses do not inherit their names."""


@dataclasses.dataclass
class ModelMeta:
    """The settings of one model, merged: `M._meta`, and the same object as `M.Meta`. Assignable one by one.

    Args:
        global_key_prefix: first part of every key; empty lets keys start with ":".
        model_key_prefix: second part of every key; by default `module.Class`.
        primary_key_pattern: third part, with `{pk}` in it.
        database: the client to use; by default the client of the model, which is created when it is first needed. See
            `named_database`.
        primary_key_creator_cls: makes primary keys with `create_pk()`.
        index_name: by default `<global>:<model>:index`.
        embedded: documents of this model exist only inside others.
        encoding: the encoding of text in hashes.
        declared: other attributes of `class Meta`, for use by the application.
    """

    global_key_prefix: str = ""
    model_key_prefix: str = ""
    primary_key_pattern: str = "{pk}"
    database: Any = None
    primary_key_creator_cls: type[PrimaryKeyCreator] = UlidPrimaryKey
    index_name: str = ""
    embedded: bool = False
    encoding: str = "utf-8"
    declared: Any = dataclasses.field(default=None, repr=False, compare=False)

    _model: ClassVar[Any] = None
    """The model with these settings. A ClassVar, because it is not a setting; each object has its own."""

    @property
    def primary_key(self) -> PrimaryKey | None:
        """Return the primary key of the model; None in an embedded one."""
        if self._model is None or self.embedded:
            return None
        name = self._model._primary_key_name
        return PrimaryKey(name, self._model.model_fields[name])

    def belongs_to(self, model: Any) -> None:
        """Set the model of its settings when it is created."""
        self.__dict__["_model"] = model

    def __setattr__(self, name: str, value: Any) -> None:
        if self._model is not None and name == "embedded" and value != self.embedded:
            raise AttributeError(
                f"Meta.embedded of {self._model.__name__} cannot be changed after the model is created. "
                "Set it in class Meta."
            )
        if name == "primary_key":
            raise AttributeError(
                f"Meta.primary_key{f' of {self._model.__name__}' * (self._model is not None)} cannot be set: "
                "it is derived from the fields. Declare the field with Field(primary_key=True)."
            )
        if name not in SETTINGS:
            refuse_misspelt("_meta", name)
        object.__setattr__(self, name, value)
        if self._model is not None and name == "primary_key_creator_cls":
            self._model._settle_primary_key()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in SETTINGS or self.declared is None:
            raise AttributeError(f"Meta has no setting {name!r}. {did_you_mean(name, KNOWN)}".rstrip())
        return getattr(self.declared, name)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        """Return the bases of `class Meta(Base.Meta)`.

        Names are inherited, too, because keys of existing data contain them.
        """
        declared_values = _values_of(self)
        if str(declared_values.get("model_key_prefix")).startswith(OUR_MODELS):
            declared_values = {
                name: value for name, value in declared_values.items() if name not in OWN_TO_EACH_MODEL
            }
        own = (self.declared,) if isinstance(self.declared, type) else ()
        return (type("Meta", own, declared_values),)


class BaseMeta:
    """The names and types of the settings, for type checkers: `class Meta(BaseMeta)`. It sets none."""

    global_key_prefix: str
    model_key_prefix: str
    primary_key_pattern: str
    database: Any
    primary_key_creator_cls: type[PrimaryKeyCreator]
    index_name: str
    embedded: bool
    encoding: str


class _Database:
    """`ModelMeta.database`: the given client, or the default one."""

    def __init__(self) -> None:
        # Tests replace an attribute temporarily and then assign the previous value, which must not set a client.
        self._not_named: WeakSet[Any] = WeakSet()

    def __get__(self, meta: ModelMeta, owner: type | None = None) -> Any:
        client = meta.__dict__.get("database")
        make = getattr(meta._model, "_shared_client", None)
        if client is None and make is not None:
            client = make()
            self._not_named.add(client)
        return client

    def __set__(self, meta: ModelMeta, value: Any) -> None:
        is_named = not any(value is client for client in self._not_named)
        meta.__dict__["database"] = value if is_named else None


ModelMeta.database = _Database()


SETTINGS = tuple(field.name for field in dataclasses.fields(ModelMeta))


KNOWN: Final = (*(name for name in SETTINGS if name != "declared"), "primary_key")
"""Names that are not misspelt. redis-om sets `Meta.primary_key` itself."""

MISSPELT: Final = 0.85
"""The similarity above which a name counts as a misspelt setting."""

DOUBTFUL: Final = 0.75
"""The similarity above which it may be one, or a setting of the application such as `database_url`."""


def refuse_misspelt(owner: str, name: str) -> None:
    """Raise RedisModelError for a name that is very similar to a setting; emit UserWarning for a less similar one."""
    if name in KNOWN or name.startswith("_"):
        return
    likeness, meant = max((SequenceMatcher(None, name.lower(), known).ratio(), known) for known in KNOWN)
    if likeness >= MISSPELT:
        raise RedisModelError(
            f"{owner}: unknown setting Meta.{name}. Did you mean {meant!r}?",
            "Correct it, or give a setting of the application another name.",
        )
    if likeness >= DOUBTFUL:
        warnings.warn(f"{owner}: Meta.{name} has no effect. Did you mean {meant!r}?", stacklevel=2)


def declared_meta(model: type, base: type) -> type | None:
    """Return the `class Meta` of a model: in its body, or in a mixin before its first model.

    Args:
        base: the base class of all models. Settings of a base that is a model are inherited one by one.
    """
    for one in model.__mro__:
        declared: type | None = one.__dict__.get("Meta")
        if declared is not None:
            return declared if one is model or not issubclass(one, base) else None
    return None


def merged_meta(declared: type | None, inherited: ModelMeta, module: str, name: str) -> ModelMeta:
    """Return the settings of the model `module.name`.

    Args:
        declared: the `class Meta` of `declared_meta`, if there is one. Attributes that it inherits in Python count as
            declared, so `class Meta(Base.Meta)` shares even a key prefix.
        inherited: the merged settings of the model's base.

    Raises:
        RedisModelError: an encoding that does not exist, or a misspelt setting.
    """
    for given in _names_in(declared):
        refuse_misspelt(f"{module}.{name}", given)
    inherited_settings = {
        name: value for name, value in _values_of(inherited).items() if name not in OWN_TO_EACH_MODEL
    }
    declared_values = inherited_settings | _values_of(declared)
    meta = ModelMeta(**declared_values, declared=declared or getattr(inherited, "declared", None))
    meta.model_key_prefix = meta.model_key_prefix or f"{module}.{name}"
    meta.index_name = meta.index_name or f"{meta.global_key_prefix}:{meta.model_key_prefix}:index"
    try:
        _ = "".encode(meta.encoding)
    except (LookupError, UnicodeError) as error:  # also for encodings that are not of text, such as hex
        raise RedisModelError(
            f"{module}.{name}: Meta.encoding {meta.encoding!r} is not a known encoding."
        ) from error
    return meta


def named_database(meta: object) -> Any:
    """Return the client that settings name, or None; not the default client."""
    return meta.__dict__.get("database") if isinstance(meta, ModelMeta) else getattr(meta, "database", None)


def _names_in(declared: type | None) -> set[str]:
    bases = declared.__mro__ if isinstance(declared, type) else ()
    return {name for base in bases if base is not object for name in vars(base)}


def _values_of(declared: object) -> dict[str, Any]:
    # An empty text does not count as a setting, as in redis-om: keys of existing data depend on it.
    declared_values = {
        name: getattr(declared, name, None) for name in SETTINGS if name not in ("declared", "database")
    }
    declared_values["database"] = named_database(declared)
    return {name: value for name, value in declared_values.items() if value is not None and value != ""}
