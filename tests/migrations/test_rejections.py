"""What a model rejects is described by the stored value and the expected type, not in pydantic's words."""

import datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError, create_model, field_validator

from redstart.errors import DocumentDecodeError
from redstart.migrations.model_check import rejections


def rejected(kind: Any, value: Any, *, is_json: bool = False) -> tuple[bytes, str]:
    return rejection(
        create_model("M", at=(kind, ...)), {} if value is ... else {"at": value}, is_json=is_json
    )


def rejection(model: type[BaseModel], values: dict[str, Any], *, is_json: bool = False) -> tuple[bytes, str]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(values)
    error = DocumentDecodeError("M", "m:1", "1", "at", None, "pydantic's words")
    error.__cause__ = caught.value
    ((path, found),) = rejections(error, is_json=is_json).items()
    assert path == "at"
    return found.value, found.reason


@pytest.mark.parametrize("text", ["N/A", "2023-13-45", "12023-01-01T00:00:00", "2024-02-30"])
def test_a_date_has_one_reason_whatever_is_wrong_with_it(text: str) -> None:
    assert rejected(datetime.datetime, text) == (text.encode(), "expected a datetime")
    assert rejected(datetime.date, text) == (text.encode(), "expected a date")
    assert rejected(datetime.date, text, is_json=True) == (f'"{text}"'.encode(), "expected a date")


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        (int, "many", "expected an integer"),
        (int, 1.5, "expected an integer, got a number with a fractional part"),
        (bool, "maybe", "expected a boolean"),
        (str, 7, "expected a string"),
        (list[str], "x", "expected a list"),
        (Literal["a", "b", "c"], "d", "expected 'a', 'b' or 'c'"),
        (Annotated[int, Field(gt=3)], 2, "expected greater than 3"),
        (Annotated[str, Field(min_length=3)], "ab", "string should have at least 3 characters"),
        (int, ..., "the field is missing"),
    ],
)
def test_the_expected_type_is_named(kind: Any, value: Any, reason: str) -> None:
    stored, described = rejected(kind, value, is_json=True)
    assert described == reason
    assert (stored == b"") == (value is ...)


def test_an_empty_text_is_named() -> None:
    assert rejected(datetime.date, "") == (b"", "expected a date, not an empty string")


def test_the_text_of_a_validator_is_kept() -> None:
    class Checked(BaseModel):
        at: int

        @field_validator("at")
        @classmethod
        def check(cls, value: int) -> int:
            raise ValueError("too late")

    assert rejection(Checked, {"at": 1}) == (b"1", "value error, too late")


def test_another_error_keeps_its_reason() -> None:
    error = DocumentDecodeError("M", "m:1", "1", "at", None, "not JSON")
    assert {path: one.reason for path, one in rejections(error, is_json=True).items()} == {"at": "not JSON"}
