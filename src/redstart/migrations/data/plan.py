"""The plan of a data migration: which paths of which key prefixes are converted, each with its declared type.

The plan is data. It is stored with the undo log, so that a rollback needs no models, and its hash identifies the
models of a run. Batch size and failure mode are not part of it, because they may change when a run is resumed.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from itertools import repeat
from shlex import quote
from typing import Any

from redstart.errors import ConfigurationError, PlanChangedError, UnsupportedServerError
from redstart.mapping.model_info import ModelDeclaration, overlapping
from redstart.mapping.value_paths import Each, Location, Segment, ValuePath
from redstart.migrations.server_checks import ServerFacts
from redstart.migrations.state_keys import StateKeys
from redstart.migrations.transformation import RecordedSettings, Transformation
from redstart.next_steps import Command, Hint
from redstart.values.types import Storage


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """The plan of one model. Keys are `key_prefix` + primary key + `key_suffix`.

    Attributes:
        excluded: longer prefixes whose keys belong to another model.
        included: longer prefixes that another model or index has, too, and whose keys belong to this model.
    """

    name: str
    key_prefix: str
    key_suffix: str
    storage: Storage
    paths: tuple[ValuePath, ...]
    excluded: tuple[str, ...] = ()
    included: tuple[str, ...] = ()

    def __hash__(self) -> int:
        return hash(self.key_prefix)  # called for every key of a page; no plan has a prefix twice

    @property
    def hash(self) -> str:
        """Hash that changes when the model must be converted again: prefix, storage, paths or types differ."""
        return _digest([_what_to_convert(replace(self, excluded=()))])


@dataclass(frozen=True, slots=True)
class Plan:
    """The models to convert, and the settings of the transformation."""

    models: tuple[PlannedModel, ...]
    settings: RecordedSettings = ()

    @property
    def hash(self) -> str:
        """Hash that is the same for equal plans, independent of the order in which models were imported."""
        values = [value for _, value in self.settings]
        return _digest([*values, *sorted(map(_what_to_convert, self.models), key=str)])

    @property
    def kinds(self) -> set[str]:
        """The types of the paths."""
        return {path.kind for model in self.models for path in model.paths}

    def to_json(self) -> str:
        """Return the plan as one line for the server."""
        data = {**dict(self.settings), "models": [_model_data(model) for model in self.models]}
        return json.dumps(data, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> "Plan":
        """Return the plan of a result of `to_json`."""
        data = json.loads(text)
        settings = tuple((name, value) for name, value in data.items() if name != "models")
        if not all(isinstance(value, str) for _, value in settings):
            raise TypeError("a setting that is not text")
        return cls(tuple(map(_model_from_data, data["models"])), settings)


def make_plan(
    declarations: Iterable[ModelDeclaration],
    transformation: Transformation,
    *,
    excluded: Collection[str] = (),
) -> Plan:
    """Return the plan for some models, without those that have no values to convert.

    Args:
        excluded: prefixes of keys that belong to no model with a shorter key prefix.

    Raises:
        ConfigurationError: the key prefix of one model also matches keys of another one, so that a key could belong to
            either, and one of them has values to convert.
    """
    declared = list(declarations)
    for outer, inner in overlapping(declared):
        is_excluded = inner.key_prefix.startswith(longer_than(outer.key_prefix, excluded))
        if not is_excluded and (transformation.paths(outer) or transformation.paths(inner)):
            raise _overlap(outer, inner, transformation)
    return plan_for_indexes(declared, transformation, excluded=excluded)


def plan_for_indexes(
    declarations: Iterable[ModelDeclaration],
    transformation: Transformation,
    *,
    excluded: Collection[str] = (),
) -> Plan:
    """Like `make_plan`, for uses that do not assign keys to models: key prefixes may overlap."""
    models = (
        PlannedModel(
            d.name,
            d.key_prefix,
            d.key_suffix,
            d.storage,
            paths,
            longer_than(d.key_prefix, excluded),
        )
        for d in sorted(declarations, key=lambda declaration: declaration.key_prefix)
        if (paths := transformation.paths(d))
    )
    return Plan(tuple(models), transformation.settings)


def with_index_attributes(plan: Plan, transformation: Transformation) -> Plan:
    """Return a plan with only those paths whose values change the type of an index attribute."""
    models = (
        replace(
            model,
            paths=tuple(path for path in model.paths if transformation.index_attribute(path) is not None),
        )
        for model in plan.models
    )
    return replace(plan, models=tuple(model for model in models if model.paths))


def longer_than(key_prefix: str, prefixes: Iterable[str]) -> tuple[str, ...]:
    """Return those prefixes that begin with a key prefix and are longer."""
    return tuple(
        sorted({prefix for prefix in prefixes if prefix.startswith(key_prefix) and prefix != key_prefix})
    )


def merged(stored: Plan | None, current: Plan, transformation: Transformation) -> Plan:
    """Return the new plan for the undo log: the stored plan with the paths of the current one.

    Args:
        stored: the plan stored with the undo log; None before the first run.
        transformation: for errors.

    Raises:
        PlanChangedError: a path has another type, a prefix another storage, or the transformation other settings than
            in the stored plan.
    """
    if stored is None:
        return current
    if stored.settings != current.settings:
        raise transformation.settings_error(stored.settings, current.settings)
    models = {model.key_prefix: model for model in stored.models}
    for model in current.models:
        known = models.get(model.key_prefix)
        models[model.key_prefix] = (
            model if known is None else _merged_model(known, model, transformation.migration_id)
        )
    return Plan(tuple(models.values()), current.settings)


def router(plan: Plan) -> Callable[[bytes], PlannedModel | None]:
    """Return a function from a key to its model, or None for a key of no model."""
    if not plan.models:
        return lambda _: None
    models = plan.models
    pattern = re.compile(b"|".join(map(_key_pattern, models)), re.DOTALL)

    def route(key: bytes) -> PlannedModel | None:
        match = pattern.fullmatch(key)
        return None if match is None or match.lastindex is None else models[match.lastindex - 1]

    return route


def router_of_many(plan: Plan) -> Callable[[Collection[bytes]], list[tuple[bytes, PlannedModel]]]:
    """Return a function from keys to those of a model, each with its model, in the same order."""
    if len(plan.models) == 1 and not plan.models[0].excluded and not plan.models[0].key_suffix:
        return partial(_routed_to, plan.models[0], plan.models[0].key_prefix.encode())
    route = router(plan)
    return lambda keys: [(key, model) for key in keys if (model := route(key)) is not None]


def _routed_to(
    model: PlannedModel, prefix: bytes, keys: Collection[bytes]
) -> list[tuple[bytes, PlannedModel]]:
    if not keys:
        return []
    first, last = min(keys), max(keys)
    # If the first and the last key in sorted order have a prefix, all have it.
    if first != prefix and first.startswith(prefix) and last.startswith(prefix):
        return list(zip(keys, repeat(model)))
    return [(key, model) for key in keys if key.startswith(prefix) and key != prefix]


def with_recorded_exclusions(plan: Plan, stored: Plan | None) -> Plan:
    """Return a plan that leaves out the keys that the stored plan leaves out, too."""
    known = {} if stored is None else {model.key_prefix: model.excluded for model in stored.models}
    return replace(
        plan,
        models=tuple(
            replace(model, excluded=tuple(sorted({*model.excluded, *known.get(model.key_prefix, ())})))
            for model in plan.models
        ),
    )


def with_prefixes(plan: Plan, *, excluded: Iterable[str] = (), included: Iterable[str] = ()) -> Plan:
    """Return a plan with more exclusions, and more longer prefixes whose keys belong to the planned models."""
    excluded, included = tuple(excluded), tuple(included)
    return replace(
        plan,
        models=tuple(
            replace(
                model,
                excluded=tuple(sorted({*model.excluded, *longer_than(model.key_prefix, excluded)})),
                included=tuple(sorted({*model.included, *longer_than(model.key_prefix, included)})),
            )
            for model in plan.models
        ),
    )


def path_of(location: Location, model: PlannedModel) -> ValuePath | None:
    """Return the planned path that matches a concrete location."""
    for path in model.paths:
        if len(path.segments) == len(location) and all(
            step == place
            or (step is Each.ITEM and isinstance(place, int))
            or (step is Each.VALUE and isinstance(place, str))
            for step, place in zip(path.segments, location, strict=True)
        ):
            return path
    return None


def scan_pattern(plan: Plan) -> bytes:
    """Return the narrowest MATCH pattern that matches every planned key."""
    prefixes = [model.key_prefix for model in plan.models]
    shared = prefixes[0] if prefixes else ""
    for prefix in prefixes[1:]:
        while not prefix.startswith(shared):
            shared = shared[:-1]
    return re.sub(rb"([\\*?\[\]])", rb"\\\1", shared.encode()) + b"*"


def _merged_model(known: PlannedModel, current: PlannedModel, migration_id: str) -> PlannedModel:
    hint = Hint("Roll back first with: ", StateKeys(migration_id).rollback_command())
    paths = {path.segments: path for path in known.paths}
    for path in current.paths:
        if path.segments in paths and paths[path.segments].kind != path.kind:
            raise PlanChangedError(
                f"{current.name}: {path} was converted as a {paths[path.segments].kind} and is now a {path.kind}.",
                hint,
            )
        paths[path.segments] = path
    if set(known.excluded) != set(current.excluded):
        options = [word for prefix in known.excluded for word in ("--exclude-prefix", prefix)]
        raise PlanChangedError(
            f"{current.name}: the previous run excluded {_listed(known.excluded)}, and this run would exclude "
            f"{_listed(current.excluded)}.",
            Hint(
                "Use the same exclusions: ",
                Command("migrate-data run", *options),
                "\nOr roll back first with: ",
                StateKeys(migration_id).rollback_command(),
            ),
        )
    if known.storage != current.storage:
        raise PlanChangedError(
            f"Documents under {current.key_prefix!r} were converted as {known.storage} and are now {current.storage}.",
            hint,
        )
    included = tuple(sorted({*known.included, *current.included}))
    return replace(current, paths=tuple(paths.values()), included=included)


def _listed(prefixes: Collection[str]) -> str:
    return ", ".join(map(repr, prefixes)) or "no prefix"


def _overlap(
    outer: ModelDeclaration, inner: ModelDeclaration, transformation: Transformation
) -> ConfigurationError:
    conflicts = ""
    if outer.key_prefix == inner.key_prefix:
        descriptions = dict.fromkeys(
            (
                *transformation.conflicts(outer.name, transformation.paths(outer), inner.model),
                *transformation.conflicts(inner.name, transformation.paths(inner), outer.model),
            )
        )
        conflicts = "".join(f"\n{description}" for description in descriptions)
    return ConfigurationError(
        f"The key prefix {outer.key_prefix!r} of {outer.name} also matches keys of {inner.name} "
        f"({inner.key_prefix!r}): a key could belong to either model.{conflicts}",
        f"Set exclude_prefixes = [{inner.key_prefix!r}] under [tool.redstart] in pyproject.toml, or add: "
        f"--exclude-prefix {quote(inner.key_prefix)}"
        if inner.key_prefix != outer.key_prefix
        else "Give one of the models another Meta.model_key_prefix.",
    )


def _key_pattern(model: PlannedModel) -> bytes:
    excluded = b"|".join(re.escape(prefix.encode()) for prefix in model.excluded)
    prefix, suffix = re.escape(model.key_prefix.encode()), re.escape(model.key_suffix.encode())
    return b"(%b%b.+%b)" % (b"(?!%b)" % excluded if excluded else b"", prefix, suffix)


def _digest(data: list[Any]) -> str:
    return sha256(json.dumps(data, separators=(",", ":")).encode()).hexdigest()[:16]


def _model_data(model: PlannedModel) -> dict[str, Any]:
    paths = sorted(([_segments_data(p.segments), str(p.kind), p.optional] for p in model.paths), key=str)
    return {
        "name": model.name,
        "key_prefix": model.key_prefix,
        "key_suffix": model.key_suffix,
        "storage": model.storage.value,
        "paths": paths,
        **({"excluded": list(model.excluded)} if model.excluded else {}),
        **({"included": list(model.included)} if model.included else {}),
    }


def _what_to_convert(model: PlannedModel) -> dict[str, Any]:
    """Return the data without the name: a renamed or moved class with the same keys is the same model."""
    data = _model_data(replace(model, included=()))
    del data["name"]
    return data


def _model_from_data(data: dict[str, Any]) -> PlannedModel:
    paths = tuple(ValuePath(_segments(s), kind, optional) for s, kind, optional in data["paths"])
    if not all(isinstance(path.kind, str) for path in paths):
        raise TypeError("the type of a path that is not text")
    return PlannedModel(
        data["name"],
        data["key_prefix"],
        data["key_suffix"],
        Storage(data["storage"]),
        paths,
        tuple(data.get("excluded", ())),
        tuple(data.get("included", ())),
    )


def _segments_data(segments: tuple[Segment, ...]) -> list[Any]:
    return [{"each": segment.value} if isinstance(segment, Each) else segment for segment in segments]


def _segments(data: list[Any]) -> tuple[Segment, ...]:
    return tuple(Each(item["each"]) if isinstance(item, dict) else item for item in data)


def require_json(facts: ServerFacts, plan: Plan) -> None:
    """Raise UnsupportedServerError if the plan has JSON models and the server does not have RedisJSON."""
    names = [model.name for model in plan.models if model.storage is Storage.JSON]
    if names and not facts.json:
        raise UnsupportedServerError(
            f"{', '.join(names)} are stored as JSON, and this server ({facts.version}) does not have JSON.MERGE.",
            "Use a server with RedisJSON 2.6 or later (Redis Stack, Redis 8), or give only hash models with --models.",
        )
