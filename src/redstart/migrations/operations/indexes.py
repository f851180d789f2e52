"""Changes of indexes in migration files, as data."""

from dataclasses import dataclass

from redstart.errors import MigrationStateError
from redstart.migrations.operations.base import Operation, model_title
from redstart.migrations.operations.state import ProjectState
from redstart.search.schema import Index
from redstart.search.schema_diff import difference


@dataclass(frozen=True)
class AlterIndex(Operation):
    """Change the index of a model. Queries use the former one until the new one is complete.

    Args:
        model: the name of the model.
        before: the index as it was; None without one.
        after: the index as it becomes; None without one.
    """

    model: str
    before: Index | None
    after: Index | None

    def describe(self) -> str:
        """Return one sentence."""
        title = model_title(self.model)
        if self.before is None or self.after is None:
            return f"Create an index of {title}." if self.before is None else f"Drop the index of {title}."
        found = str(difference(self.before, self.after)).replace(".\n", "; ").removesuffix(".")
        if self.before.name != self.after.name:
            name = f"its name changes from {self.before.name} to {self.after.name}"
            found = f"{name}; {found}" if difference(self.before, self.after) else name
        return f"Change the index of {title}: {found}."

    def apply(self, state: ProjectState) -> ProjectState:
        """Return the models with the new index."""
        model = state.model(self.model)
        if model.index != self.before:
            raise MigrationStateError(
                f"The index of {self.model} is not the one before this operation.",
                "Correct `before` in the migration file.",
            )
        return state.with_model(model.replaced(index=self.after))

    def inverse(self, before: ProjectState) -> "AlterIndex":
        """Return the change back."""
        _ = self.apply(before)
        return AlterIndex(self.model, self.after, self.before)
