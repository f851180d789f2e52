"""Bytes that pydantic reads itself: the documents, and the errors, are those of the texts."""

import subprocess
import sys
from datetime import datetime
from typing import Annotated, Any, Literal

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import CoreSchema, core_schema

from redstart import Field, HashModel
from redstart.documents.hash_decoder import hash_reader_of, names_taken_as_bytes, reader_of_hashes
from redstart.documents.value_decoder import validated
from redstart.errors import DocumentDecodeError
from redstart.values.timezones import NaiveTimezone

UTC_ZONE = NaiveTimezone.parse("UTC")


def is_text(value: Any) -> Any:
    """Fails for bytes."""
    assert value is None or isinstance(value, str | int | float | bool | datetime)
    return value


class Plain(HashModel):
    text: str = "t"
    whole: int = 0
    number: float = 0.0
    flag: bool = False
    nickname: str | None = None
    age: int | None = None
    at: datetime | None = None


class Constrained(HashModel):
    text: Annotated[str, pydantic.Field(min_length=1, max_length=9, pattern="^[a-z ]*$")] = "a"
    trimmed: Annotated[str, pydantic.StringConstraints(strip_whitespace=True, to_upper=True)] = "T"
    whole: pydantic.PositiveInt = 1
    strict: Annotated[str, pydantic.Field(strict=True)] = "s"
    number: Annotated[float, pydantic.Field(allow_inf_nan=False, multiple_of=0.5)] = 0.5


class Looked(HashModel):
    """Its own validators look at what is stored."""

    before: Annotated[str, pydantic.BeforeValidator(is_text)] = ""
    after: Annotated[str, pydantic.AfterValidator(is_text)] = ""
    wrapped: Annotated[int, pydantic.WrapValidator(lambda value, inner: inner(is_text(value)))] = 0
    either: int | str = 0
    anything: Any = None
    word: Literal["a", "b"] = "a"
    by_alias: str = Field("x", alias="Alias")


class Through(HashModel):
    """An alias leads into another field's text, where nothing is."""

    text: str = ""
    letter: int | str = Field("", validation_alias=pydantic.AliasPath("text", 0))


class ShortOrNone:
    """Text; what does not fit is taken for "none"."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> CoreSchema:
        short = core_schema.str_schema(max_length=3)
        return core_schema.with_default_schema(short, default="none", on_error="default")


class Forgiving(HashModel):
    word: ShortOrNone = Field("word")


class LookedWhole(HashModel):
    text: str = ""

    @pydantic.model_validator(mode="before")
    @classmethod
    def all_text(cls, values: dict[str, Any]) -> dict[str, Any]:
        for value in values.values():
            is_text(value)
        return values


class Made(HashModel):
    text: str = ""

    def __init__(self, **values: Any) -> None:
        for value in values.values():
            is_text(value)
        super().__init__(**values)


class Finished(HashModel):
    text: str = ""
    whole: int = 0

    @pydantic.model_validator(mode="after")
    def text_is_text(self) -> "Finished":
        is_text(self.text)
        return self


class Extra(HashModel, extra="allow"):
    text: str = ""


class Latin(HashModel):
    text: str = ""

    class Meta:
        encoding = "latin-1"


MODELS = (Plain, Constrained, Looked, Through, Forgiving, LookedWhole, Made, Finished, Extra, Latin)
NAMES = sorted({name for model in MODELS for name in model.model_fields} | {"Alias", "unknown"})
NUMBERS = (
    "0",
    "-1",
    "+1",
    "1_000",
    " 7 ",
    "1e3",
    ".5",
    "5.",
    "nan",
    "-inf",
    "0x10",
    "1672531200.0",
    "True",
    "on",
    "n",
    "9" * 400,
)
TEXTS = st.text(max_size=12) | st.sampled_from(NUMBERS) | st.integers().map(str) | st.floats().map(repr)
BYTES = TEXTS.map(lambda text: text.encode(errors="surrogatepass")) | st.binary(max_size=6)


@given(st.sampled_from(MODELS), st.dictionaries(st.sampled_from(NAMES), BYTES))
def test_a_document_is_that_of_the_texts(model: type[HashModel], fields: dict[str, bytes]) -> None:
    stored = {name.encode(): value for name, value in fields.items()}

    def of_texts() -> HashModel:
        return validated(model, "1", hash_reader_of(model, UTC_ZONE).values("1", stored))

    def said(read: Any) -> str:
        try:
            return repr(read())
        except DocumentDecodeError as error:
            return f"{error} {error.reasons}"

    assert said(lambda: reader_of_hashes(model, UTC_ZONE)("1", stored)) == said(of_texts)


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (Plain, {"pk", "text", "whole", "number", "flag", "nickname", "age"}),
        (Constrained, {"pk", "text", "trimmed", "whole", "number"}),
        (Looked, {"pk", "by_alias"}),
        (Through, set()),
        (Forgiving, {"pk"}),
        (LookedWhole, set()),
        (Made, set()),
        (Finished, {"pk", "text", "whole"}),
        (Extra, {"pk", "text"}),
    ],
)
def test_which_they_are(model: type[HashModel], names: set[str]) -> None:
    assert names_taken_as_bytes(model) == names


def test_the_key_is_not_compared_with_text() -> None:
    """Under `python -bb` that is an error, which some have their tests run with."""
    program = "\n".join(
        (
            "from tests.support.read_documents import document_from_hash",
            "from tests.documents.test_taken_as_bytes import Plain",
            "assert document_from_hash(Plain, 'a', {b'pk': b'a', b'text': b't'}).pk == 'a'",
        )
    )
    subprocess.run([sys.executable, "-bb", "-c", program], check=True, timeout=60)
