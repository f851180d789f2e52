"""The plan: which paths of which key prefixes hold which kind of value. By path, never by name.

A plan is data: it is stored with the journal, so that an undo needs no models, and its hash pins what a run
began with. Batch size and failure mode are not part of it: they may change between a stop and a resume.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from shlex import quote
from typing import Any

from redstart.errors import ConfigurationError, PlanChangedError
from redstart.mapping.declaration import ModelDeclaration, overlapping
from redstart.mapping.paths import Each, Segment, TemporalPath
from redstart.migrations.data.planned.jsonpath import Location
from redstart.values.kinds import Storage, TemporalKind


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """One model's share: keys are `key_prefix` + primary key + `key_suffix`.

    Attributes:
        excluded: longer prefixes, whose keys belong to another model.
    """

    name: str
    key_prefix: str
    key_suffix: str
    storage: Storage
    paths: tuple[TemporalPath, ...]
    excluded: tuple[str, ...] = ()

    def __hash__(self) -> int:
        return hash(self.key_prefix)  # asked for every key of a page; no plan has a prefix twice

    @property
    def hash(self) -> str:
        """Changes when the model must be converted again: other prefix, storage, paths or kinds."""
        return _digest([_what_to_convert(replace(self, excluded=()))])


@dataclass(frozen=True, slots=True)
class Plan:
    """What to convert, and what a datetime without an offset means."""

    models: tuple[PlannedModel, ...]
    naive_timezone: str

    @property
    def hash(self) -> str:
        """The same for equal plans, whatever the order in which models were imported."""
        return _digest([self.naive_timezone, *sorted(map(_what_to_convert, self.models), key=str)])

    def to_json(self) -> str:
        """One line to keep on the server."""
        data = {
            "naive_timezone": self.naive_timezone,
            "models": [_model_data(model) for model in self.models],
        }
        return json.dumps(data, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> "Plan":
        """The plan of `to_json`."""
        data = json.loads(text)
        return cls(tuple(map(_model_from_data, data["models"])), data["naive_timezone"])


def make_plan(
    declarations: Iterable[ModelDeclaration], naive_timezone: str, *, excluded: Collection[str] = ()
) -> Plan:
    """The plan for some models; those without datetimes or dates are left out.

    Args:
        excluded: prefixes of keys that belong to no model with a shorter key prefix.

    Raises:
        ConfigurationError: one model's key prefix holds another's keys, so that a key could belong to either, and one
            of them has dates.
    """
    declared = list(declarations)
    for outer, inner in overlapping(declared):
        is_excluded = inner.key_prefix.startswith(longer_than(outer.key_prefix, excluded))
        if (outer.paths.planned or inner.paths.planned) and not is_excluded:
            raise _overlap(outer, inner)
    return plan_for_indexes(declared, naive_timezone, excluded=excluded)


def plan_for_indexes(
    declarations: Iterable[ModelDeclaration], naive_timezone: str, *, excluded: Collection[str] = ()
) -> Plan:
    """As `make_plan`, where no key has to be told which model it belongs to: prefixes may hold each other's keys."""
    models = (
        PlannedModel(
            d.name,
            d.key_prefix,
            d.key_suffix,
            d.storage,
            d.paths.planned,
            longer_than(d.key_prefix, excluded),
        )
        for d in sorted(declarations, key=lambda declaration: declaration.key_prefix)
        if d.paths.planned
    )
    return Plan(tuple(models), naive_timezone)


def longer_than(key_prefix: str, prefixes: Iterable[str]) -> tuple[str, ...]:
    """Those of some prefixes that begin with a key prefix, and go on."""
    return tuple(sorted({one for one in prefixes if one.startswith(key_prefix) and one != key_prefix}))


def merged(stored: Plan | None, today: Plan, migration_id: str) -> Plan:
    """The plan the journal stands on from now on: what was converted before, and what is to be converted today.

    Args:
        stored: the one under the journal; None before the first run.
        migration_id: what a refusal says has to be undone first.

    Raises:
        PlanChangedError: a path has another kind or a prefix another storage than what the journal holds, or naive
            values meant another time zone.
    """
    if stored is None:
        return today
    if stored.naive_timezone != today.naive_timezone:
        raise PlanChangedError(
            f"Values without an offset were read as {stored.naive_timezone} and would now be read as "
            f"{today.naive_timezone}.",
            f"Set naive_timezone back, or undo first with: om migrate-data rollback {migration_id}",
        )
    models = {model.key_prefix: model for model in stored.models}
    for model in today.models:
        known = models.get(model.key_prefix)
        models[model.key_prefix] = model if known is None else _merged_model(known, model, migration_id)
    return Plan(tuple(models.values()), today.naive_timezone)


def router(plan: Plan) -> Callable[[bytes], PlannedModel | None]:
    """A function from a key to the model it belongs to, or None for a foreign key."""
    if not plan.models:
        return lambda _: None
    models = plan.models
    pattern = re.compile(b"|".join(map(_key_pattern, models)), re.DOTALL)

    def route(key: bytes) -> PlannedModel | None:
        match = pattern.fullmatch(key)
        return None if match is None or match.lastindex is None else models[match.lastindex - 1]

    return route


def journal_router(plan: Plan) -> Callable[[bytes], PlannedModel | None]:
    """As `router`, for keys in the journal: what was converted once stays its model's, whatever is excluded today."""
    return router(replace(plan, models=tuple(replace(model, excluded=()) for model in plan.models)))


def path_of(location: Location, model: PlannedModel) -> TemporalPath | None:
    """Return the planned path that leads to a concrete place."""
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
    """The narrowest MATCH pattern that lets every planned key through."""
    prefixes = [model.key_prefix for model in plan.models]
    shared = prefixes[0] if prefixes else ""
    for prefix in prefixes[1:]:
        while not prefix.startswith(shared):
            shared = shared[:-1]
    return re.sub(rb"([\\*?\[\]])", rb"\\\1", shared.encode()) + b"*"


def _merged_model(known: PlannedModel, today: PlannedModel, migration_id: str) -> PlannedModel:
    hint = f"Undo first with: om migrate-data rollback {migration_id}"
    paths = {path.segments: path for path in known.paths}
    for path in today.paths:
        if path.segments in paths and paths[path.segments].kind != path.kind:
            raise PlanChangedError(
                f"{today.name}: {path} was converted as a {paths[path.segments].kind} and is now a {path.kind}.",
                hint,
            )
        paths[path.segments] = path
    if known.storage != today.storage:
        raise PlanChangedError(
            f"Keys under {today.key_prefix!r} were converted as {known.storage} and are now {today.storage}.",
            hint,
        )
    return replace(today, paths=tuple(paths.values()))


def _overlap(outer: ModelDeclaration, inner: ModelDeclaration) -> ConfigurationError:
    return ConfigurationError(
        f"The key prefix {outer.key_prefix!r} of {outer.name} also holds the keys of {inner.name} "
        f"({inner.key_prefix!r}): a key could belong to either.",
        f"Set exclude_prefixes = [{inner.key_prefix!r}] under [tool.redstart] in pyproject.toml, or add: "
        f"--exclude-prefix {quote(inner.key_prefix)}"
        if inner.key_prefix != outer.key_prefix
        else "Give one of them another Meta.model_key_prefix.",
    )


def _key_pattern(model: PlannedModel) -> bytes:
    excluded = b"|".join(re.escape(prefix.encode()) for prefix in model.excluded)
    prefix, suffix = re.escape(model.key_prefix.encode()), re.escape(model.key_suffix.encode())
    return b"(%b%b.+%b)" % (b"(?!%b)" % excluded if excluded else b"", prefix, suffix)


def _digest(data: list[Any]) -> str:
    return sha256(json.dumps(data, separators=(",", ":")).encode()).hexdigest()[:16]


def _model_data(model: PlannedModel) -> dict[str, Any]:
    paths = sorted(([_segments_data(p.segments), p.kind.value, p.optional] for p in model.paths), key=str)
    return {
        "name": model.name,
        "key_prefix": model.key_prefix,
        "key_suffix": model.key_suffix,
        "storage": model.storage.value,
        "paths": paths,
        **({"excluded": list(model.excluded)} if model.excluded else {}),
    }


def _what_to_convert(model: PlannedModel) -> dict[str, Any]:
    """Without the name: a class that was renamed or moved, and kept its keys, is the same model."""
    data = _model_data(model)
    del data["name"]
    return data


def _model_from_data(data: dict[str, Any]) -> PlannedModel:
    paths = tuple(
        TemporalPath(_segments(s), TemporalKind(kind), optional) for s, kind, optional in data["paths"]
    )
    return PlannedModel(
        data["name"],
        data["key_prefix"],
        data["key_suffix"],
        Storage(data["storage"]),
        paths,
        tuple(data.get("excluded", ())),
    )


def _segments_data(segments: tuple[Segment, ...]) -> list[Any]:
    return [{"each": segment.value} if isinstance(segment, Each) else segment for segment in segments]


def _segments(data: list[Any]) -> tuple[Segment, ...]:
    return tuple(Each(item["each"]) if isinstance(item, dict) else item for item in data)
