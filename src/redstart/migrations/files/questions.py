"""Questions that a comparison of models cannot answer, and their answers."""

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final

from redstart.migrations.operations.value_types import path_of


class QuestionKind(StrEnum):
    """What a question is about."""

    RENAMED_FIELD = "renamed_field"
    MOVED_FIELD = "moved_field"
    RENAMED_MODEL = "renamed_model"
    MOVED_KEYS = "moved_keys"
    """Whether documents move to the new key prefix."""
    VALUE = "value"
    """Which value documents get that have none."""
    REPLACED_FIELD = "replaced_field"
    """Whether the values of a field may be removed because there is no conversion."""
    REPLACED_MODEL = "replaced_model"
    """Whether the documents of a model may be removed because nothing converts them."""


RENAME: Final = "rename"
NO: Final = "no"
REPLACE: Final = "replace"


class _NoValue(Enum):
    NO_VALUE = "no value"


NO_VALUE: Final = _NoValue.NO_VALUE
"""The answer that documents without a value stay unchanged."""

CHOICES: Final[dict[QuestionKind, tuple[str, ...]]] = {
    QuestionKind.RENAMED_FIELD: (RENAME, NO),
    QuestionKind.MOVED_FIELD: (RENAME, NO),
    QuestionKind.RENAMED_MODEL: (RENAME, NO),
    QuestionKind.MOVED_KEYS: (RENAME, NO),
    QuestionKind.VALUE: (),
    QuestionKind.REPLACED_FIELD: (REPLACE,),
    QuestionKind.REPLACED_MODEL: (REPLACE,),
}
"""The answers to each kind of question. A question for a value takes any value, or NO_VALUE."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question whose answer is not guessed.

    Attributes:
        kind: what it is about.
        model: the name of the model, after the change.
        old, new: what the answer `rename` makes of what: names of fields or models, paths, or key prefixes; of a field
            that is replaced, its types.
        within: the path of the embedded model that contains the field.
    """

    kind: QuestionKind
    model: str
    old: str = ""
    new: str = ""
    within: str = ""

    @property
    def choices(self) -> tuple[str, ...]:
        """Return the possible answers; none if any value is one."""
        return CHOICES[self.kind]

    def __str__(self) -> str:
        return _TEXTS[self.kind].format(
            model=self.model,
            old=self.old,
            new=self.new,
            path=path_of(self.new, self.within) if self.new else "",
        )


_TEXTS: Final = {
    QuestionKind.RENAMED_FIELD: "Was the field {old} of {model} renamed to {path}?",
    QuestionKind.MOVED_FIELD: "Was the field {old} of {model} moved to {new}?",
    QuestionKind.RENAMED_MODEL: "Was the model {old} renamed to {new}?",
    QuestionKind.MOVED_KEYS: "The keys of {model} change from {old} to {new}. Do its documents move to the new keys?",
    QuestionKind.VALUE: "Which value do documents of {model} get that have none for {path}?",
    QuestionKind.REPLACED_FIELD: (
        "There is no conversion of {path} of {model} from {old}. Remove its values and start without them?"
    ),
    QuestionKind.REPLACED_MODEL: (
        "There is no conversion of {model}: {old}. Remove all its documents and start without them?"
    ),
}
