"""Fields that are called as a method is."""

import warnings
from typing import Any

import pytest
from pydantic import ValidationError

from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel
from redstart.errors import RedisModelError
from redstart.mapping.field_proxies import FieldProxy
from redstart.search.query_compiler import query_text
from redstart.values.timezones import NaiveTimezone

UTC = NaiveTimezone.parse("UTC")

OF_PYDANTIC = ["copy", "json", "dict", "schema", "construct", "validate"]
OF_DOCUMENTS = ["update", "expire", "field_ttl"]
OF_CLASSES = ["get", "find", "add", "delete", "db", "all_pks"]
OTHERS = ["all", "values", "mro", "register", "type", "id", "hash", "index"]


def declared(base: Any, name: str) -> Any:
    body = {"__annotations__": {name: str}, name: Field(index=True), "__module__": __name__}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydantic says that it shadows something
        return type(base)("Model", (base,), body, index=True)


@pytest.mark.parametrize("base", [HashModel, JsonModel])
@pytest.mark.parametrize("name", [*OF_PYDANTIC, *OF_DOCUMENTS, *OTHERS])
def test_on_the_class_it_is_the_field(base: Any, name: str) -> None:
    model = declared(base, name)
    assert isinstance(getattr(model, name), FieldProxy)
    assert query_text([getattr(model, name) == "x"], UTC).text == f"@{name}:{{x}}"
    assert getattr(model(**{name: "v"}), name) == "v"
    assert model.model_json_schema()["required"] == [name]
    with pytest.raises(ValidationError, match="Field required"):
        model()
    assert not hasattr(model.model_construct(), name)


@pytest.mark.parametrize("base", [HashModel, JsonModel])
@pytest.mark.parametrize("name", OF_CLASSES)
def test_what_is_called_on_the_class_stays(base: Any, name: str) -> None:
    model = declared(base, name)
    assert callable(getattr(model, name))
    assert getattr(model(**{name: "v"}), name) == "v"


def test_subclasses_get_it_and_may_declare_it_again() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")

        class Parent(HashModel):
            copy: str = Field(index=True)

        class Child(Parent):
            update: int = 0

        class Again(Parent):
            copy: str = Field(default="again", index=True)

        class Required(Again):
            copy: str

    assert [repr(model.copy) for model in (Parent, Child, Again)] == [
        "Parent.copy",
        "Child.copy",
        "Again.copy",
    ]
    assert (Child(copy="x").copy, Child(copy="x").update, Again().copy) == ("x", 0, "again")
    with pytest.raises(ValidationError):
        Required()


@pytest.mark.parametrize("name", ["key", "save", "check"])
def test_what_saves_documents_cannot_be_a_field(name: str) -> None:
    with pytest.raises(RedisModelError, match=rf"Model\.{name} cannot be a field: .*\nRename .* {name}_\."):
        declared(HashModel, name)


def test_documents_inside_others_are_not_saved_so_they_may_have_it() -> None:
    with pytest.warns(UserWarning, match='"key" .* shadows'):

        class Setting(EmbeddedJsonModel):
            key: str

    class Settings(JsonModel):
        all: list[Setting] = []  # noqa: RUF012 - a pydantic field

    assert Settings(all=[Setting(key="k")]).all[0].key == "k"
