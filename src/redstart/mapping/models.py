"""Base classes of models, without I/O: the fields of a document, and its key."""

import abc
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Final, dataclass_transform

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, RootModel, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema

from redstart.errors import RedisModelError
from redstart.mapping import keys
from redstart.mapping.base_model import MappedModel, model_name, refuse_never_called, register
from redstart.mapping.core_schema import by_name
from redstart.mapping.field_checks import refuse_compound_fields, refuse_unstorable_types
from redstart.mapping.fields import Field, give_names
from redstart.mapping.index_schema import index_of, reference_parts, reference_schema
from redstart.mapping.meta import declared_meta, merged_meta
from redstart.mapping.metaclass import KeyAlias, QueryableModel, install_field_proxies, refuse_needed_names
from redstart.mapping.primary_keys import (
    DEFAULT_NAME,
    UlidPrimaryKey,
    accepts_text,
    as_in_document,
    is_no_primary_key,
    new_ulid,
    primary_key_name,
)
from redstart.mapping.pydantic_internals import extra_of, fields_described, is_complete, validator_of
from redstart.mapping.renamed_fields import former_names, renamed_fields_of
from redstart.mapping.type_tree import complete_fields
from redstart.values.types import Storage

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaMode


LISTS: Final = (list, tuple, set, frozenset, deque)
"""Types whose items are validated and written one by one; text and bytes are single values."""
ATOMIC_TYPES: Final = frozenset({type(None), bool, int, float, Decimal, str, bytes, datetime, date})
"""Types of most values, which contain no documents."""

HASH_METHODS: Final = ("expire_field", "field_ttl", "persist_field")


def hashes_only(model: type[MappedModel], subject: str) -> str:
    """Return the message for the use of a field expiry in a model that is not a HashModel."""
    return (
        f"{model_name(model)} has no {subject}: only fields of hashes (HashModel) can expire. "
        "Use expire() for the whole document."
    )


def unsupported_option(model: type[MappedModel], name: str) -> TypeError:
    """Return the error for an option of `save()` that a model does not have."""
    if name == "field_expirations":
        return TypeError(hashes_only(model, f"option {name} of save()"))
    return TypeError(f"{model.__name__}.save() has no option {name!r}.")


def fix_primary_key_schema(model: type[MappedModel], schema: dict[str, Any], mode: "JsonSchemaMode") -> None:
    """Correct the JSON schema of `pk`: it is generated, and embedded documents have none."""
    properties: dict[str, Any] = schema.get("properties", {})
    name = model._primary_key_name
    if name not in properties:
        return
    if model._meta.embedded:
        del properties[name]
    elif mode == "serialization":
        properties[name] = _never_null(properties[name])
        required = schema.get("required", [])
        schema["required"] = [field for field in properties if field in (name, *required)]


def _never_null(described: dict[str, Any]) -> dict[str, Any]:
    ways: list[dict[str, Any]] = [way for way in described.get("anyOf", ()) if way != {"type": "null"}]
    if len(ways) != 1:
        return described
    return ways[0] | {word: text for word, text in described.items() if word not in ("anyOf", "default")}


@dataclass_transform(kw_only_default=True, field_specifiers=(Field,))
class RedisModel(MappedModel, abc.ABC, metaclass=QueryableModel):
    """Base class of all models. Derive models from HashModel, JsonModel or EmbeddedJsonModel.

    A class with `abc.ABC` among its direct bases is abstract: it has no documents and is not registered.
    `index=True` of the class is optional: the options of its fields are sufficient, as in redis-om 0.3.5.
    """

    # As in redis-om. Documents are stored by field name even if there is an alias.
    model_config = ConfigDict(from_attributes=True, arbitrary_types_allowed=True, populate_by_name=True)

    pk: str | None = Field(default_factory=new_ulid)

    Meta: ClassVar[Any]
    """The declared settings in the class body; afterwards the effective settings, as `_meta`."""

    _index: ClassVar[bool] = False

    def __init_subclass__(cls, *, index: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        indexed = next((base for base in cls.__mro__[1:] if base.__dict__.get("_index")), None)
        if index and indexed is not None:
            raise RedisModelError(
                f"{model_name(cls)} cannot be indexed: only one model can be indexed in an inheritance tree, "
                f"and {model_name(indexed)} is.",
                "Remove index=True from one of them.",
            )
        cls._index = index

    @classmethod
    def __pydantic_init_subclass__(cls, *, index: bool = False, **kwargs: Any) -> None:
        # Not in a metaclass's __new__: pydantic looks for the names of string annotations in the frame of
        # its caller, which would be ours and not the function that declares the model.
        super().__pydantic_init_subclass__(**kwargs)
        cls._meta = merged_meta(declared_meta(cls, MappedModel), cls._meta, cls.__module__, cls.__name__)
        cls.Meta = cls._meta
        cls._settle_primary_key()
        cls._meta.belongs_to(cls)
        give_names(cls.model_fields)
        install_field_proxies(cls)
        cls._check_fields()
        if cls._has_documents():
            refuse_needed_names(cls)
            refuse_never_called(cls)
            cls._check_index()
            register(cls)

    @classmethod
    def _settle_primary_key(cls) -> None:
        """Remove the field `pk` if another field is the primary key; exclude it from storage in embedded models."""
        cls._primary_key_name = primary_key_name(cls)
        field = cls.model_fields.get(DEFAULT_NAME)
        if cls._primary_key_name != DEFAULT_NAME:
            cls.model_fields.pop(DEFAULT_NAME, None)
            type.__setattr__(cls, DEFAULT_NAME, KeyAlias(cls._primary_key_name))
        elif field is None and not cls._meta.embedded:
            raise RedisModelError(
                f"{model_name(cls)} has no primary key: {DEFAULT_NAME} is an attribute of the class, not a field.",
                "Rename the attribute, or declare a field with Field(primary_key=True).",
            )
        elif field is None or not cls._settle_default_of(field):
            return
        cls.model_rebuild(force=True, raise_errors=False)

    @classmethod
    def _settle_default_of(cls, pk: FieldInfo) -> bool:
        """Set the default of `pk`, and return whether it has changed."""
        before = pk.default_factory
        if cls._meta.embedded:
            pk.exclude, pk.default, pk.default_factory = True, None, None
            return True
        if before is new_ulid or isinstance(getattr(before, "__self__", None), QueryableModel):
            # Nearly all models have ULIDs: these are generated directly, which is faster.
            creator = cls._meta.primary_key_creator_cls
            pk.default_factory = new_ulid if creator is UlidPrimaryKey else cls._new_primary_key
        elif not pk.is_required() and not pk.validate_default and accepts_text(pk.annotation):
            # The default of the model: `_primary_key_given` replaces "" and None.
            pk.validate_default = True
            return True
        return pk.default_factory is not before

    @classmethod
    def _new_primary_key(cls) -> str:
        return cls._meta.primary_key_creator_cls().create_pk()

    @classmethod
    def _check_fields(cls) -> None:
        """Raise RedisModelError for a field that cannot be stored."""
        refuse_unstorable_types(cls)
        _ = former_names(cls)

    @classmethod
    def _check_index(cls) -> None:
        """Raise RedisModelError for a field that cannot be indexed; not yet, if an annotation is unresolved."""
        if is_complete(cls):
            _ = index_of(cls)
            _ = renamed_fields_of(cls)
            keys.refuse_keys_elsewhere(cls)

    @field_validator("pk", mode="before", check_fields=False)
    @classmethod
    def _primary_key_given(cls, value: Any) -> Any:
        # redis-om 0.3.5 stored a random key inside embedded documents; they have none.
        if cls._meta.embedded:
            return None
        return cls._new_primary_key() if is_no_primary_key(value) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        described = super().__get_pydantic_json_schema__(core_schema, handler)
        fix_primary_key_schema(cls, handler.resolve_ref_schema(described), handler.mode)
        return described

    def __lt__(self, other: Any) -> bool:
        """Compare documents by key, as in redis-om."""
        return self.key() < other.key() if isinstance(other, RedisModel) else NotImplemented

    def check(self) -> None:
        """Validate this document, and convert assigned values to the types of their fields.

        Raises:
            ValidationError (pydantic): a value is not valid.
        """
        revalidate_assigned(self, self._primary_key_name)

    @classmethod
    def get_annotations(cls) -> dict[str, Any]:
        """Return the type of each field, by name.

        Raises:
            RedisModelError: an annotation cannot be resolved.
        """
        return {name: field.annotation for name, field in complete_fields(cls).items()}

    @classmethod
    def redisearch_schema(cls) -> str:
        """Return the definition of the index, in redis-om's format. Its hash is stored on the server in `<index>:hash`.

        Raises:
            RedisModelError: an indexed field has a type that cannot be indexed.
        """
        return reference_schema(cls)

    @classmethod
    def schema_for_fields(cls) -> list[str]:
        """Return the part of each field in the index definition; in a JsonModel, "" for a field that is not indexed.

        Raises:
            RedisModelError: an indexed field has a type that cannot be indexed.
        """
        return reference_parts(cls)

    @classmethod
    def make_key(cls, part: str) -> str:
        """Return the key `<global prefix>:<model prefix>:<part>`."""
        meta = cls._meta
        return f"{keys.prefix_of(meta.global_key_prefix, meta.model_key_prefix)}{part}"

    @classmethod
    def make_primary_key(cls, pk: Any) -> str:
        """Return the key of the document with a primary key."""
        pk = as_in_document(cls, pk)
        pattern = cls._meta.primary_key_pattern
        return cls.make_key(f"{pk}" if pattern == "{pk}" else pattern.format(pk=pk))

    def key(self) -> str:
        """Return the key of this document.

        Raises:
            RedisModelError: the document is embedded, or its primary key is None or empty.
        """
        if self._meta.embedded:
            raise RedisModelError(
                f"{model_name(type(self))} is an embedded model; its documents have no key."
            )
        primary_key = getattr(self, self._primary_key_name)
        if is_no_primary_key(primary_key):
            raise RedisModelError(
                f"{model_name(type(self))} has no primary key: {self._primary_key_name} is {primary_key!r}.",
                f"Set {self._primary_key_name} before the document is saved, "
                "or declare it with Field(primary_key=True, default_factory=...).",
            )
        return self.make_primary_key(primary_key)


class HashModel(RedisModel, abc.ABC):
    """Base class of models whose documents are Redis hashes, with one text value per field."""

    _storage: ClassVar[Storage | None] = Storage.HASH

    @classmethod
    def _check_fields(cls) -> None:
        refuse_compound_fields(cls)
        super()._check_fields()


class JsonModel(RedisModel, abc.ABC):
    """Base class of models whose documents are JSON values."""

    _storage: ClassVar[Storage | None] = Storage.JSON

    if not TYPE_CHECKING:  # a type checker has to see mistakes as mistakes

        def __getattr__(self, name: str) -> Any:
            try:
                return super().__getattr__(name)
            except AttributeError as error:
                if name in HASH_METHODS:
                    error.args = (hashes_only(type(self), f"{name}()"),)
                raise


class EmbeddedJsonModel(JsonModel, abc.ABC):
    """Base class of models whose documents are parts of documents of a JsonModel."""

    _is_part: ClassVar[bool] = True

    class Meta:
        embedded = True


def revalidate_assigned(document: BaseModel, key_name: str) -> None:
    """Validate a document and the documents inside it, and convert assigned values to the types of their fields.

    Text that was assigned to a number field would otherwise be stored as text, which the index does not accept.

    Args:
        key_name: the primary key field. If it is None, no key is generated.

    Raises:
        ValidationError (pydantic): a field does not accept its value.
    """
    values = document.__dict__
    fields = fields_described(type(document))
    if len(values) > len(fields):  # functools.cached_property adds its values
        values = {name: value for name, value in values.items() if name in fields}
    # A new dict, because validators may change their input.
    given = values | extra_of(document)
    validate, options = validator_of(type(document)).validate_python, by_name(type(document))
    taken = getattr(validate(given, **options) if options else validate(given), "__dict__", {})
    kinds = list(map(type, values.values()))
    if ATOMIC_TYPES.issuperset(kinds) and kinds == list(map(type, map(taken.get, values))):
        return  # most documents; this is faster than comparing each value
    for name, value in values.items():
        own = taken.get(name, value)
        if type(own) is not type(value) and not (value is None and name == key_name):
            document.__dict__[name] = own
        elif type(value) not in ATOMIC_TYPES:
            revalidate_nested((value,))


def revalidate_nested(values: Iterable[Any]) -> None:
    """Validate the documents among some values: pydantic does not validate instances. Raises ValidationError."""
    for value in values:
        if isinstance(value, RootModel):
            # Its validator expects the value itself, not a dict of fields.
            value.__dict__["root"] = validator_of(type(value)).validate_python(value.root).root
            revalidate_nested((value.root,))
        elif isinstance(value, BaseModel):
            revalidate_assigned(value, DEFAULT_NAME)
        elif isinstance(value, Mapping):
            revalidate_nested(value.values())
        elif isinstance(value, LISTS):
            revalidate_nested(value)
