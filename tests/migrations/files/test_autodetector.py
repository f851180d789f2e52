"""The operations between two states of the models: complete, and without a guess."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import redstart.demo.models as demo
from redstart import EmbeddedJsonModel, Field, JsonModel
from redstart.errors import MigrationStateError
from redstart.mapping.model_info import declare
from redstart.migrations.files.autodetector import Detected, detect
from redstart.migrations.files.questions import NO, NO_VALUE, RENAME, REPLACE, Question, QuestionKind
from redstart.migrations.files.writer import migration_source
from redstart.migrations.operations.base import Operation
from redstart.migrations.operations.conversion import ConvertField
from redstart.migrations.operations.field_state import FieldState
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
from redstart.migrations.operations.state import ModelState, ProjectState, state_of_models
from redstart.values.types import Storage
from tests.migrations.files.test_writer import executed
from tests.migrations.operations.strategies import MODEL, PROJECTS, project

Answer = Callable[[Question], Any]


def answered(
    before: ProjectState, after: ProjectState, answer: Answer
) -> tuple[list[Operation], list[Question]]:
    """Return the operations after all questions are answered, and the questions."""
    answers: dict[Question, Any] = {}
    while True:
        found = detect(before, after, answers)
        if not found.questions:
            return list(found.operations), list(answers)
        assert not found.operations
        assert len(set(found.questions)) == len(found.questions)
        for question in found.questions:
            assert question not in answers
            assert str(question)
            answers[question] = answer(question)


def replayed(before: ProjectState, operations: list[Operation]) -> ProjectState:
    for operation in operations:
        before = operation.apply(before)
    return before


def only(name: str) -> Answer:
    """Return an answerer: the one given where it is a choice, else the last choice."""
    return lambda question: (
        NO_VALUE if not question.choices else name if name in question.choices else question.choices[-1]
    )


@given(before=PROJECTS, after=PROJECTS, data=st.data())
def test_the_operations_lead_from_one_state_to_the_other(
    before: ProjectState, after: ProjectState, data: st.DataObject
) -> None:
    def answer(question: Question) -> Any:
        return data.draw(st.sampled_from(question.choices or (NO_VALUE, NO_VALUE)))

    operations, questions = answered(before, after, answer)
    assert replayed(before, operations) == after
    assert (operations == []) == (before == after)
    if questions:
        assert detect(before, after).questions
    # They are undone in reverse order.
    states = [before]
    for operation in operations:
        states.append(operation.apply(states[-1]))
    for operation, state in zip(reversed(operations), reversed(states[:-1]), strict=True):
        inverse = operation.inverse(state)
        assert inverse is not None
        after = inverse.apply(after)
        assert after == state
    source = migration_source("All.", operations)
    assert list(executed(source).operations) == operations


@given(state=PROJECTS)
def test_the_same_models_need_no_operation(state: ProjectState) -> None:
    assert detect(state, state) == Detected((), ())


@given(before=PROJECTS, after=PROJECTS)
def test_a_removed_and_an_added_field_of_one_type_are_asked_about(
    before: ProjectState, after: ProjectState
) -> None:
    operations, questions = answered(before, after, only(NO))
    asked = {(one.model, one.within) for one in questions if one.kind is QuestionKind.RENAMED_FIELD}
    removed = [one for one in operations if isinstance(one, RemoveField) and not one.within]
    added = [one for one in operations if isinstance(one, AddField) and not one.within]
    for one in removed:
        if one.model not in before.models or one.name in after.models[one.model].members:
            continue  # of a renamed model, or replaced, about which there was another question
        old = before.models[one.model].field_at(one.name)
        for other in added:
            if (
                old is not None
                and (other.model, other.field.type) == (one.model, old.type)
                and other.field.name != one.name
            ):
                assert (one.model, "") in asked
    assert not any(
        isinstance(one, RenameField | RenameModel | ChangeKeyPrefix | MoveField) for one in operations
    )


NAME, TITLE = FieldState("name", "str"), FieldState("title", "str", default="")
RENAMED = Question(QuestionKind.RENAMED_FIELD, MODEL, "name", "title")


def test_a_rename_is_asked_and_never_guessed() -> None:
    before, after = project(Storage.HASH, NAME), project(Storage.HASH, TITLE)
    assert detect(before, after) == Detected((), (RENAMED,))
    assert str(RENAMED) == "Was the field name of shop.models.Order renamed to title?"
    assert detect(before, after, {RENAMED: RENAME}).operations == (
        RenameField(MODEL, "name", "title"),
        AlterField(MODEL, before=NAME.renamed("title"), after=TITLE),
    )
    assert detect(before, after, {RENAMED: NO}).operations == (
        AddField(MODEL, TITLE),
        RemoveField(MODEL, "name"),
    )
    with pytest.raises(MigrationStateError, match="'maybe' is not an answer to the question: Was the field"):
        detect(before, after, {RENAMED: "maybe"})


def test_a_renamed_field_may_have_another_type() -> None:
    before, after = project(Storage.HASH, NAME), project(Storage.HASH, FieldState("title", "int"))
    assert detect(before, after, {RENAMED: RENAME}).operations == (
        RenameField(MODEL, "name", "title"),
        ConvertField(MODEL, NAME.renamed("title"), FieldState("title", "int")),
    )
    unrelated = project(Storage.HASH, FieldState("title", "vector[FLOAT32, 3]", is_generated=True))
    assert detect(before, unrelated).questions == ()


def test_each_removed_field_is_renamed_once() -> None:
    before = project(Storage.HASH, FieldState("a", "str"), FieldState("b", "str"))
    after = project(Storage.HASH, FieldState("c", "str"), FieldState("d", "str"))
    operations, questions = answered(before, after, only(RENAME))
    assert operations == [RenameField(MODEL, "a", "c"), RenameField(MODEL, "b", "d")]
    assert [(one.old, one.new) for one in questions] == [("a", "c"), ("b", "d")]


def test_a_required_field_without_a_default_is_asked_for_a_value() -> None:
    before, after = project(Storage.HASH), project(Storage.HASH, FieldState("count", "int"))
    question = Question(QuestionKind.VALUE, MODEL, new="count")
    assert detect(before, after).questions == (question,)
    added = FieldState("count", "int")
    assert detect(before, after, {question: 5}).operations == (AddField(MODEL, added, fill=5),)
    assert detect(before, after, {question: NO_VALUE}).operations == (AddField(MODEL, added),)
    for one in (
        added.replaced(default=1),
        added.replaced(is_generated=True),
        added.replaced(is_optional=True),
    ):
        assert detect(before, project(Storage.HASH, one)).operations == (AddField(MODEL, one),)


def test_a_field_that_may_no_longer_be_none_is_asked_for_a_value() -> None:
    optional = FieldState("n", "int", is_optional=True, default=None)
    required = FieldState("n", "int")
    question = Question(QuestionKind.VALUE, MODEL, new="n")
    before, after = project(Storage.HASH, optional), project(Storage.HASH, required)
    assert detect(before, after).questions == (question,)
    assert detect(before, after, {question: 0}).operations == (
        AlterField(MODEL, before=optional, after=required, fill=0),
    )
    assert detect(after, before).operations == (AlterField(MODEL, before=required, after=optional),)


def test_a_type_without_a_conversion_is_asked_about() -> None:
    before, after = (
        project(Storage.HASH, FieldState("n", "UUID")),
        project(Storage.HASH, FieldState("n", "int", default=0)),
    )
    question = Question(QuestionKind.REPLACED_FIELD, MODEL, "UUID to int", "n")
    assert detect(before, after).questions == (question,)
    assert detect(before, after, {question: REPLACE}).operations == (
        RemoveField(MODEL, "n"),
        AddField(MODEL, FieldState("n", "int", default=0)),
    )
    assert str(question).startswith("There is no conversion of n of shop.models.Order from UUID to int.")


def order(name: str = MODEL, prefix: str = ":order:", **arguments: Any) -> ProjectState:
    arguments.setdefault("storage", Storage.HASH)
    return ProjectState.of([ModelState(name, key_prefix=prefix, **arguments)])


def test_a_renamed_model_and_its_keys_are_asked_about() -> None:
    before, after = order(), order("shop.models.Purchase", ":purchase:")
    renamed = Question(QuestionKind.RENAMED_MODEL, "shop.models.Purchase", MODEL, "shop.models.Purchase")
    keys = Question(QuestionKind.MOVED_KEYS, "shop.models.Purchase", ":order:*", ":purchase:*")
    assert detect(before, after).questions == (renamed,)
    assert detect(before, after, {renamed: NO}).operations == (
        RemoveModel(MODEL),
        CreateModel(after.model("shop.models.Purchase")),
    )
    assert detect(before, after, {renamed: RENAME}).questions == (keys,)
    assert detect(before, after, {renamed: RENAME, keys: RENAME}).operations == (
        RenameModel(MODEL, "shop.models.Purchase"),
        ChangeKeyPrefix("shop.models.Purchase", ":order:", ":purchase:"),
    )
    assert detect(before, after, {renamed: RENAME, keys: NO}).operations == (
        RemoveModel(MODEL),
        CreateModel(after.model("shop.models.Purchase")),
    )


def test_another_primary_key_is_asked_about() -> None:
    code = FieldState("code", "str")
    before, after = order(fields=[code]), order(fields=[code], primary_key="code")
    question = Question(QuestionKind.REPLACED_MODEL, MODEL, "the primary key changes from pk to code")
    assert detect(before, after).questions == (question,)
    assert detect(before, after, {question: REPLACE}).operations == (
        RemoveModel(MODEL),
        CreateModel(after.model(MODEL)),
    )
    renamed = order(fields=[code.renamed("number")], primary_key="number")
    (rename,) = detect(after, renamed).questions
    assert detect(after, renamed, {rename: RENAME}).operations == (RenameField(MODEL, "code", "number"),)


def test_another_storage_needs_no_question() -> None:
    before = project(Storage.HASH, NAME)
    after = project(Storage.JSON, NAME, FieldState("tags", "list[str]", default=[]))
    assert detect(before, after).operations == (
        ChangeStorage(MODEL, Storage.HASH, Storage.JSON),
        AddField(MODEL, FieldState("tags", "list[str]", default=[])),
    )
    assert detect(after, before).operations == (
        RemoveField(MODEL, "tags"),
        ChangeStorage(MODEL, Storage.JSON, Storage.HASH),
    )


STREET, CITY = FieldState("street", "str"), FieldState("city", "str")


def test_a_field_that_moves_into_a_new_embedded_model_is_asked_about() -> None:
    address = FieldState("address", "object", fields=[STREET, CITY.replaced(default="")])
    before, after = project(Storage.JSON, STREET, NAME), project(Storage.JSON, address, NAME)
    question = Question(QuestionKind.MOVED_FIELD, MODEL, "street", "address.street")
    assert detect(before, after).questions == (question,)
    assert detect(before, after, {question: RENAME}).operations == (
        AddField(MODEL, address.replaced(fields=[CITY.replaced(default="")])),
        MoveField(MODEL, "street", "address.street"),
    )
    operations, _ = answered(before, after, only(NO))
    assert operations == [AddField(MODEL, address), RemoveField(MODEL, "street")]


def test_a_field_that_moves_out_of_an_embedded_model_is_asked_about() -> None:
    address = FieldState("address", "object", fields=[STREET, CITY])
    before, after = project(Storage.JSON, address), project(Storage.JSON, STREET, CITY)
    operations, questions = answered(before, after, only(RENAME))
    assert operations == [
        MoveField(MODEL, "address.street", "street"),
        MoveField(MODEL, "address.city", "city"),
        RemoveField(MODEL, "address"),
    ]
    assert {one.kind for one in questions} == {QuestionKind.MOVED_FIELD}


def test_fields_of_embedded_models_in_lists_and_maps_are_compared() -> None:
    def state(kind: str, *fields: FieldState) -> ProjectState:
        return project(Storage.JSON, FieldState("lines", kind, fields=fields))

    for kind, within in (
        ("list[object]", "lines[]"),
        ("dict[str, list[object]]", "lines{}[]"),
        ("object", "lines"),
    ):
        before, after = (
            state(kind, NAME, FieldState("n", "str")),
            state(kind, NAME.renamed("title"), FieldState("n", "int")),
        )
        operations, (question,) = answered(before, after, only(RENAME))
        assert question == Question(QuestionKind.RENAMED_FIELD, MODEL, "name", "title", within)
        assert operations == [
            RenameField(MODEL, "name", "title", within=within),
            ConvertField(MODEL, FieldState("n", "str"), FieldState("n", "int"), within=within),
        ]


def test_real_models_are_created_and_changed() -> None:
    after = state_of_models([declare(one) for one in (demo.Ringer, demo.Visit, demo.Sighting)])
    operations, questions = answered(ProjectState(), after, only(NO))
    assert [type(one) for one in operations] == [CreateModel] * 3
    assert questions == []
    assert (
        replayed(ProjectState(), list(executed(migration_source("Initial.", operations)).operations)) == after
    )
    visit = after.model("redstart.demo.models.Visit")
    assert visit.index is not None
    before = after.with_model(visit.replaced(index=None).without_field("weather"))
    assert [type(one) for one in detect(before, after).operations] == [AddField, AlterIndex]


class ItemBefore(EmbeddedJsonModel):
    size: int = 0


class ItemAfter(EmbeddedJsonModel):
    extent: int = Field(default=0, renamed_from="size")


class ItemLater(EmbeddedJsonModel):
    extent: int = 0


class OrderBefore(JsonModel, index=True):
    code: str = Field(primary_key=True)
    name: str = Field(index=True)
    label: str = ""
    items: list[ItemBefore] = Field(default_factory=list)
    first: ItemBefore | None = None


class OrderAfter(JsonModel, index=True):
    number: str = Field(primary_key=True, renamed_from="code")
    title: str = Field(index=True, renamed_from="name")
    text: str = ""
    items: list[ItemAfter] = Field(default_factory=list)
    start: ItemAfter | None = Field(default=None, renamed_from="first")


class OrderLater(JsonModel, index=True):
    number: str = Field(primary_key=True)
    title: str = Field(index=True)
    text: str = ""
    items: list[ItemLater] = Field(default_factory=list)
    start: ItemLater | None = None


def state_of(model: Any) -> ProjectState:
    (state,) = state_of_models([declare(model)]).models.values()
    return ProjectState.of([state.replaced(name=MODEL, key_prefix="orders:", index=None)])


def test_a_declared_former_name_is_the_answer_to_the_question() -> None:
    before, after = state_of(OrderBefore), state_of(OrderAfter)
    found = detect(before, after)
    assert found.questions == (Question(QuestionKind.RENAMED_FIELD, MODEL, "label", "text"),)
    operations, questions = answered(before, after, only(NO))
    assert len(questions) == 1  # of the field without a declaration
    assert [one for one in operations if isinstance(one, RenameField)] == [
        RenameField(MODEL, "code", "number", keep="old"),
        RenameField(MODEL, "name", "title", keep="old"),
        RenameField(MODEL, "first", "start", keep="old"),
        RenameField(MODEL, "size", "extent", within="items[]", keep="old"),
        RenameField(MODEL, "size", "extent", within="start", keep="old"),
    ]
    assert replayed(before, operations) == after
    source = migration_source("Rename.", operations)
    assert "renamed_from" not in source
    assert list(executed(source).operations) == operations


def test_a_declared_former_name_is_no_part_of_the_files() -> None:
    after, later = state_of(OrderAfter), state_of(OrderLater)
    assert after == later
    for one, other in ((after, later), (later, after), (after, after)):
        assert detect(one, other) == Detected((), ())
    sources = [migration_source("Create.", detect(ProjectState(), one).operations) for one in (after, later)]
    assert sources[0] == sources[1]
    assert "renamed_from" not in sources[0]
