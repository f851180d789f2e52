"""What a migration would meet: documents, values by kind and field, and how long it will take."""

from dataclasses import dataclass

from redstart.effects import Op
from redstart.mapping.paths import TemporalPath
from redstart.migrations.data.context import Context
from redstart.migrations.data.convert import Outcome
from redstart.migrations.data.plan import Plan, PlannedModel
from redstart.migrations.data.preflight import ServerFacts, require_json, server_facts
from redstart.migrations.data.survey import Survey, survey

SAMPLE_DOCUMENTS = 3_000
SAMPLE_PAGES = 200
_BATCH_DOCUMENTS = 500

# A run reads everything three times (census, conversion, verification) and writes once. How much longer writing
# takes than reading was measured on hashes and JSON with and without an index (bench/estimate.py); the bounds
# hold that spread, and their ratio is 2.7.
READS_PER_RUN = 3.0
WRITE_TO_READ = 2.0
LOW, HIGH = 0.6, 1.6


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds a run is expected to take."""

    low: float
    expected: float
    high: float


@dataclass(frozen=True, slots=True)
class FieldStatistics:
    """One field's values by outcome."""

    path: TemporalPath
    values: dict[Outcome, int]


@dataclass(frozen=True, slots=True)
class ModelStatistics:
    """One model's documents and fields."""

    model: PlannedModel
    documents: int
    fields: list[FieldStatistics]


@dataclass(frozen=True, slots=True)
class Statistics:
    """What was found. Unless `exact`, counts are a sample's, scaled up to the whole.

    Attributes:
        sampled_documents: how many were read.
        survey: the pass itself: samples before and after, failures.
    """

    exact: bool
    documents: int
    sampled_documents: int
    models: list[ModelStatistics]
    estimate: Estimate
    facts: ServerFacts
    survey: Survey

    def total(self, outcome: Outcome) -> int:
        """Values of all models with this outcome."""
        return sum(field.values[outcome] for model in self.models for field in model.fields)


def statistics(
    context: Context, plan: Plan, *, exact: bool, batch_documents: int = _BATCH_DOCUMENTS
) -> Op[Statistics]:
    """Look at a sample of the documents, or at all.

    Effects: reads only.
    """
    facts = yield from server_facts()
    require_json(facts, plan)
    began = context.clock()
    found = yield from survey(
        plan,
        context.naive_timezone,
        batch_documents=batch_documents,
        monitor=context.monitor,
        stage="reading",
        most_documents=None if exact else SAMPLE_DOCUMENTS,
        most_pages=None if exact else SAMPLE_PAGES,
    )
    seconds = context.clock() - began
    scale = 1.0 / found.share if found.share else 1.0
    models = [_model_statistics(model, found, scale) for model in plan.models]
    return Statistics(
        exact=found.complete,
        documents=sum(model.documents for model in models),
        sampled_documents=found.tally.total_documents,
        models=models,
        estimate=_estimate(found, seconds, scale),
        facts=facts,
        survey=found,
    )


def _model_statistics(model: PlannedModel, found: Survey, scale: float) -> ModelStatistics:
    values = found.tally.values
    fields = [
        FieldStatistics(
            path,
            {outcome: round(values[model.key_prefix, str(path), outcome] * scale) for outcome in Outcome},
        )
        for path in model.paths
    ]
    return ModelStatistics(model, round(found.tally.documents[model.key_prefix] * scale), fields)


def _estimate(found: Survey, seconds: float, scale: float) -> Estimate:
    tally = found.tally
    changing = tally.total(Outcome.CONVERTED) + tally.total(Outcome.LOSSY)
    share_changing = min(1.0, changing / max(1, tally.total_documents))
    expected = seconds * scale * (READS_PER_RUN + WRITE_TO_READ * share_changing)
    return Estimate(expected * LOW, expected, expected * HIGH)
