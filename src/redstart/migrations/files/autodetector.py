"""The operations that lead from the models after the last migration file to those of the application.

What two states do not show is a `Question`, such as a rename that no model declares with `renamed_from`. Without an
answer there are no operations.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from redstart.errors import MigrationStateError
from redstart.mapping.value_paths import display
from redstart.migrations.files.questions import NO_VALUE, RENAME, Question, QuestionKind
from redstart.migrations.operations.base import Kept, Operation
from redstart.migrations.operations.conversion import ConvertField
from redstart.migrations.operations.field_state import NO_DEFAULT, FieldState
from redstart.migrations.operations.fields import AddField, AlterField, RemoveField
from redstart.migrations.operations.models import (
    AlterIndex,
    ChangeKeyPrefix,
    ChangeStorage,
    CreateModel,
    RemoveModel,
    RenameModel,
)
from redstart.migrations.operations.moved_fields import MoveField, RenameField
from redstart.migrations.operations.state import ModelState, ProjectState
from redstart.migrations.operations.value_types import parse_path, path_of
from redstart.values.types import Storage

NO_ANSWERS: Mapping[Question, Any] = {}


class Detected(NamedTuple):
    """The difference between two states.

    Attributes:
        operations: they lead from one to the other; none while a question is open.
        questions: those without an answer. There may be more after these are answered.
    """

    operations: tuple[Operation, ...]
    questions: tuple[Question, ...]


def detect(
    before: ProjectState, after: ProjectState, answers: Mapping[Question, Any] = NO_ANSWERS
) -> Detected:
    """Return the operations between two states, or the questions to answer first.

    Args:
        before: the models after the last migration file.
        after: the models of the application.
        answers: to questions of earlier calls; see `redstart.migrations.files.questions`.

    Raises:
        MigrationStateError: an answer is not one of the choices.
    """
    asked = _Answers(answers)
    renamed = _renamed_models(before, after, asked)
    if asked.open:
        return Detected((), tuple(asked.open))
    operations: list[Operation] = [
        RemoveModel(name) for name in sorted(before.models.keys() - after.models.keys() - renamed.keys())
    ]
    names = {**{name: name for name in before.models.keys() & after.models.keys()}, **renamed}
    for old, new in sorted(names.items()):
        try:
            operations += _Model(before.models[old], after.models[new], asked).operations()
        except _OpenQuestionError:
            continue
    created = after.models.keys() - set(names.values())
    operations += [CreateModel(after.models[name]) for name in sorted(created)]
    return Detected((), tuple(asked.open)) if asked.open else Detected(tuple(operations), ())


class _OpenQuestionError(Exception):
    """What follows depends on an answer that is not given."""


class _Answers:
    """The answers, and the questions that have none."""

    def __init__(self, given: Mapping[Question, Any]) -> None:
        self._given = given
        self.open: list[Question] = []

    def to(self, question: Question) -> Any:
        """Return an answer. Raises _OpenQuestionError if there is none, MigrationStateError if it is not a choice."""
        if question not in self._given:
            self.open.append(question)
            raise _OpenQuestionError
        answer = self._given[question]
        if question.choices and answer not in question.choices:
            raise MigrationStateError(
                f"{answer!r} is not an answer to the question: {question}",
                f"Answer with {' or '.join(question.choices)}.",
            )
        return answer


def _matched(
    old: Sequence[str], new: Sequence[str], asked: _Answers, questions: "dict[tuple[str, str], Question]"
) -> dict[str, str]:
    """Return which old names were renamed to which new ones, as the answers tell.

    Args:
        questions: about each pair that may be a rename.
    """
    found: dict[str, str] = {}
    waiting: set[str] = set()
    for name in new:
        for former in old:
            question = questions.get((former, name))
            if question is None or former in found or former in waiting:
                continue
            try:
                is_renamed = asked.to(question) == RENAME
            except _OpenQuestionError:
                waiting.add(former)
                break
            if is_renamed:
                found[former] = name
                break
    return found


def _renamed_models(before: ProjectState, after: ProjectState, asked: _Answers) -> dict[str, str]:
    old = sorted(before.models.keys() - after.models.keys())
    new = sorted(after.models.keys() - before.models.keys())
    questions = {
        (former, name): Question(QuestionKind.RENAMED_MODEL, name, former, name)
        for former in old
        for name in new
    }
    return _matched(old, new, asked, questions)


@dataclass(frozen=True, slots=True)
class _Place:
    """A field and the path of the embedded model that contains it."""

    within: str
    field: FieldState

    @property
    def path(self) -> str:
        return path_of(self.field.name, self.within)

    def inside(self) -> "Iterator[_Place]":
        """Yield this field, and those of the embedded models that it contains without a list or map between."""
        yield self
        if self.field.type == "object":
            for one in self.field.fields:
                yield from _Place(self.path, one).inside()


class _ReplacedModelError(Exception):
    """Nothing converts the documents; the argument is the reason."""


class _Model:
    """The comparison of one model. Operations are applied as they are found, so each fits those before it."""

    def __init__(self, before: ModelState, after: ModelState, asked: _Answers) -> None:
        self._before, self._after, self._asked = before, after, asked
        self._state = ProjectState.of([before])
        self._found: list[Operation] = []
        self._pairs: list[tuple[str, str, FieldState]] = []
        self._added: list[_Place] = []
        self._removed: list[_Place] = []

    def operations(self) -> list[Operation]:
        """Return the operations. Raises _OpenQuestionError."""
        try:
            self._compare()
        except _ReplacedModelError as error:
            question = Question(QuestionKind.REPLACED_MODEL, self._after.name, str(error))
            _ = self._asked.to(question)
            return self._replaced()
        return self._found

    def _replaced(self) -> list[Operation]:
        return [RemoveModel(self._before.name), CreateModel(self._after)]

    @property
    def _current(self) -> ModelState:
        return self._state.model(self._name)

    @property
    def _name(self) -> str:
        return next(iter(self._state.models))

    def _emit(self, operation: Operation) -> None:
        self._state = operation.apply(self._state)
        self._found.append(operation)

    def _compare(self) -> None:
        before, after = self._before, self._after
        if before.name != after.name:
            self._emit(RenameModel(before.name, after.name))
        if before.encoding != after.encoding:
            raise _ReplacedModelError(f"the encoding changes from {before.encoding} to {after.encoding}")
        if not self._keys_move():
            self._found = self._replaced()
            return
        if before.storage is Storage.HASH and after.storage is Storage.JSON:
            self._emit(ChangeStorage(self._name, before.storage, after.storage))
        self._compare_fields()
        if before.storage is Storage.JSON and after.storage is Storage.HASH:
            self._emit(ChangeStorage(self._name, before.storage, after.storage))
        if self._current.index != after.index:
            self._emit(AlterIndex(self._name, before=self._current.index, after=after.index))

    def _keys_move(self) -> bool:
        """Return whether documents keep their keys, or move to others."""
        before, after = self._before, self._after
        if (before.key_prefix, before.key_suffix) == (after.key_prefix, after.key_suffix):
            return True
        old, new = (f"{one.key_prefix}*{one.key_suffix}" for one in (before, after))
        if self._asked.to(Question(QuestionKind.MOVED_KEYS, self._name, old, new)) != RENAME:
            return False
        self._emit(
            ChangeKeyPrefix(
                self._name,
                before=before.key_prefix,
                after=after.key_prefix,
                suffix_before=before.key_suffix,
                suffix_after=after.key_suffix,
            )
        )
        return True

    def _compare_fields(self) -> None:
        open_before = len(self._asked.open)
        self._walk("", self._after.fields)
        if len(self._asked.open) > open_before:
            raise _OpenQuestionError
        if self._current.primary_key != self._after.primary_key:
            raise _ReplacedModelError(
                f"the primary key changes from {self._current.primary_key} to {self._after.primary_key}"
            )
        moved = self._moved_fields()
        if len(self._asked.open) > open_before:
            raise _OpenQuestionError
        for place in self._added:
            self._add(place, moved)
        for source, target in moved.items():
            self._emit(MoveField(self._name, source, target.path))
            self._pairs.append((target.within, target.field.name, target.field))
        for within, name, new in self._pairs:
            self._change(within, name, new)
        for place in self._removed:
            if place.path not in moved:
                self._emit(RemoveField(self._name, place.field.name, within=place.within))

    def _walk(self, within: str, new_fields: Sequence[FieldState]) -> None:
        """Find renamed, added and removed fields of an embedded model, and of those inside it."""
        old = {one.name: one for one in self._current.fields_within(within)}
        new = {one.name: one for one in new_fields}
        for name, one in new.items():
            if name not in old and one.renamed_from in old.keys() - new.keys():
                # Only programs of the version before write the former name alone.
                self._rename(within, old, one.renamed_from, name, keep="old")
        gone = [name for name in old if name not in new]
        come = [name for name in new if name not in old]
        questions = {
            (former, name): Question(QuestionKind.RENAMED_FIELD, self._name, former, name, within)
            for former in gone
            for name in come
            if _may_be_renamed(self._current, old[former], new[name])
        }
        gone.sort(key=lambda former: all(old[former].type != new[name].type for name in come))
        renamed = _matched(gone, come, self._asked, questions)
        for former, name in renamed.items():
            self._rename(within, old, former, name)
        self._added += [_Place(within, one) for name, one in new.items() if name not in old]
        self._removed += [_Place(within, one) for name, one in old.items() if name not in new]
        for name in [name for name in new if name in old]:
            self._pairs.append((within, name, new[name]))
            steps = new[name].value_type.steps_to_object()
            if steps is not None and old[name].type == new[name].type:
                self._walk(display((*parse_path(path_of(name, within)), *steps)), new[name].fields)

    def _rename(
        self, within: str, fields: dict[str, FieldState], former: str, name: str, keep: Kept | None = None
    ) -> None:
        """Rename one of the fields of an embedded model."""
        self._emit(RenameField(self._name, former, name, within=within, keep=keep))
        fields[name] = fields.pop(former).renamed(name)

    def _moved_fields(self) -> dict[str, _Place]:
        """Return the new place of each moved field, by its old path."""
        sources = [one for removed in self._removed for one in removed.inside()]
        targets = [one for added in self._added for one in added.inside()]
        moved: dict[str, _Place] = {}
        waiting: set[str] = set()
        for target in targets:
            if _is_part(target.path, [one.path for one in moved.values()]):
                continue
            for source in sources:
                if _is_part(source.path, [*moved, *waiting]) or not self._may_be_moved(source, target):
                    continue
                question = Question(QuestionKind.MOVED_FIELD, self._name, source.path, target.path)
                try:
                    is_moved = self._asked.to(question) == RENAME
                except _OpenQuestionError:
                    waiting.add(source.path)
                    break
                if is_moved:
                    moved[source.path] = target
                    break
        return moved

    def _may_be_moved(self, source: _Place, target: _Place) -> bool:
        old, new = source.field, target.field
        if source.within == target.within or (old.name, old.type, old.members) != (
            new.name,
            new.type,
            new.members,
        ):
            return False
        try:
            _ = MoveField(self._name, source.path, target.path).apply(
                self._state.with_model(_with_parents(self._current, target))
            )
        except MigrationStateError:
            return False
        return True

    def _add(self, place: _Place, moved: Mapping[str, _Place]) -> None:
        targets = {one.path for one in moved.values()}
        if place.path in targets:
            return
        rest = _without(place, targets)
        fill: Any = NO_DEFAULT
        if not (rest.has_default or rest.is_optional or rest.members != place.field.members):
            fill = self._asked_value(place)
        self._emit(AddField(self._name, rest, within=place.within, fill=fill))

    def _asked_value(self, place: _Place) -> Any:
        question = Question(QuestionKind.VALUE, self._name, new=place.field.name, within=place.within)
        answer = self._asked.to(question)
        return NO_DEFAULT if answer is NO_VALUE else answer

    def _change(self, within: str, name: str, new: FieldState) -> None:
        """Convert and alter a field that has the same name before and after."""
        current = self._current.field_at(name, within)
        if current.type != new.type:
            converted = current.replaced(type=new.type, default=new.default)
            operation = ConvertField(self._name, current, converted, within=within)
            try:
                self._emit(operation)
            except MigrationStateError:
                self._replace(within, current, new)
                return
        current = self._current.field_at(name, within)
        altered = current.replaced(
            default=new.default, is_optional=new.is_optional, is_generated=new.is_generated
        )
        if altered != current:
            is_filled = current.is_optional and not new.is_optional
            fill = self._asked_value(_Place(within, new)) if is_filled else NO_DEFAULT
            self._emit(AlterField(self._name, before=current, after=altered, within=within, fill=fill))

    def _replace(self, within: str, old: FieldState, new: FieldState) -> None:
        """Remove a field and add the new one: there is no conversion."""
        if not within and old.name == self._current.primary_key:
            raise _ReplacedModelError(f"the type of its primary key changes from {old.type} to {new.type}")
        types = f"{old.type} to {new.type}"
        _ = self._asked.to(Question(QuestionKind.REPLACED_FIELD, self._name, types, new.name, within))
        self._emit(RemoveField(self._name, old.name, within=within))
        self._add(_Place(within, new), {})


def _may_be_renamed(model: ModelState, old: FieldState, new: FieldState) -> bool:
    """Return whether values of one field could be those of another: of the same type, or converted."""
    if old.type == new.type:
        return True
    before = old.renamed(new.name)
    after = before.replaced(type=new.type, default=NO_DEFAULT, fields=())
    only = ProjectState.of([model.replaced(primary_key="", fields=[before])])
    try:
        _ = ConvertField(model.name, before, after).apply(only)
    except MigrationStateError:
        return False
    return True


def _is_part(path: str, others: Sequence[str]) -> bool:
    """Return whether a path is one of others, or inside one of them or around it."""
    return any(f"{path}.".startswith(f"{one}.") or f"{one}.".startswith(f"{path}.") for one in others)


def _without(place: _Place, moved: set[str]) -> FieldState:
    """Return a field without the fields inside it that are moved there."""
    if place.field.type != "object":
        return place.field
    inside = [_Place(place.path, one) for one in place.field.fields]
    kept = [_without(one, moved) for one in inside if one.path not in moved]
    return place.field.replaced(fields=kept)


def _with_parents(model: ModelState, place: _Place) -> ModelState:
    """Return a model with the embedded models that contain a new field, without the field."""
    segments = parse_path(place.within)
    for length in range(1, len(segments) + 1):
        within, name = display(segments[: length - 1]), segments[length - 1]
        try:
            _ = model.fields_within(display(segments[:length]))
        except MigrationStateError:
            model = model.with_field(FieldState(str(name), "object"), within)
    return model
