"""A model's settings: what `class Meta` says, joined with what its bases say."""

import codecs
import dataclasses
import warnings
from difflib import SequenceMatcher
from typing import Any, Final

from redstart.errors import RedisModelError
from redstart.mapping.primary_keys import PrimaryKeyCreator, UlidPrimaryKey

OWN_TO_EACH_MODEL = ("model_key_prefix", "index_name")
"""Settings that name one model, so that a subclass does not get them."""

OUR_MODELS = ("redstart.mapping.", "redstart.aio.", "redstart.sync.")
"""The classes that models are made of: none of them has documents, so nobody shares their names."""


@dataclasses.dataclass
class ModelMeta:
    """The settings of one model, merged: `M._meta`, and the same object as `M.Meta`. Assignable one by one.

    Args:
        global_key_prefix: first part of every key; empty lets keys start with ":".
        model_key_prefix: second part of every key; by default `module.Class`.
        primary_key_pattern: third part, with `{pk}` in it.
        database: the client to use. None until one is given: declaring a model connects to nothing.
        primary_key_creator_cls: makes primary keys with `create_pk()`.
        index_name: by default `<global>:<model>:index`.
        embedded: documents of this model live inside others only.
        encoding: of text in hashes.
        declared: where else to look: what an application says in `class Meta` for its own use.
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

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in SETTINGS:
            refuse_misspelt("_meta", name)
        object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in SETTINGS:
            raise AttributeError(name)
        return getattr(self.declared, name)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        """What `class Meta(Base.Meta)` inherits: all of it, even the names, as the keys of existing data have them."""
        said = _said_by(self)
        if str(said.get("model_key_prefix")).startswith(OUR_MODELS):
            said = {name: value for name, value in said.items() if name not in OWN_TO_EACH_MODEL}
        own = (self.declared,) if isinstance(self.declared, type) else ()
        return (type("Meta", own, said),)


SETTINGS = tuple(field.name for field in dataclasses.fields(ModelMeta))


KNOWN: Final = (*(name for name in SETTINGS if name != "declared"), "primary_key")
"""Names that are not misspelt. redis-om sets `Meta.primary_key` itself."""

MISSPELT: Final = 0.85
"""From this likeness on a name is taken for a misspelt setting."""

DOUBTFUL: Final = 0.75
"""From this likeness on it may be one, or a setting of the application such as `database_url`."""


def refuse_misspelt(owner: str, name: str) -> None:
    """Raise RedisModelError for a name that is nearly a setting; warn UserWarning where it may be one."""
    if name in KNOWN or name.startswith("_"):
        return
    likeness, meant = max((SequenceMatcher(None, name.lower(), known).ratio(), known) for known in KNOWN)
    if likeness >= MISSPELT:
        raise RedisModelError(
            f"{owner}: there is no setting {name!r} of Meta.",
            f"Write {meant} if that is meant, or give a setting of the application another name.",
        )
    if likeness >= DOUBTFUL:
        warnings.warn(f"{owner}: Meta.{name} has no effect. Write {meant} if that is meant.", stacklevel=2)


def declared_meta(model: type, base: type) -> type | None:
    """Return the `class Meta` that counts as a model's own: in its body, or in a mixin before its first model.

    Args:
        base: what all models derive from: the settings of a base that is a model are inherited one by one.
    """
    for one in model.__mro__:
        declared: type | None = one.__dict__.get("Meta")
        if declared is not None:
            return declared if one is model or not issubclass(one, base) else None
    return None


def merged_meta(declared: type | None, inherited: ModelMeta, module: str, name: str) -> ModelMeta:
    """The settings of the model `module.name`.

    Args:
        declared: the `class Meta` of `declared_meta`, if there is one. What it inherits in Python
            counts as said, so `class Meta(Base.Meta)` shares even a key prefix.
        inherited: the merged settings of the model's base.

    Raises:
        RedisModelError: an encoding that does not exist, or a misspelt setting.
    """
    for given in _names_in(declared):
        refuse_misspelt(f"{module}.{name}", given)
    inherited_settings = {
        name: value for name, value in _said_by(inherited).items() if name not in OWN_TO_EACH_MODEL
    }
    said = inherited_settings | _said_by(declared)
    meta = ModelMeta(**said, declared=declared or getattr(inherited, "declared", None))
    meta.model_key_prefix = meta.model_key_prefix or f"{module}.{name}"
    meta.index_name = meta.index_name or f"{meta.global_key_prefix}:{meta.model_key_prefix}:index"
    try:
        codecs.lookup(meta.encoding)
    except LookupError as error:
        raise RedisModelError(f"{module}.{name}: Meta.encoding {meta.encoding!r} does not exist.") from error
    return meta


def _names_in(declared: type | None) -> set[str]:
    bases = declared.__mro__ if isinstance(declared, type) else ()
    return {name for base in bases if base is not object for name in vars(base)}


def _said_by(declared: object) -> dict[str, Any]:
    # An empty text is "not said", as in redis-om: keys of existing data depend on it.
    said = {name: getattr(declared, name, None) for name in SETTINGS if name != "declared"}
    return {name: value for name, value in said.items() if value is not None and value != ""}
