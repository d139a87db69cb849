"""Sections of a profile that say how a trial is trained: grid of settings, their transfer to children, and schedule."""

from dataclasses import asdict
from typing import Annotated

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from search.kernels.optimisers import OPTIMISERS, OptimiserName
from search.profiles.fields import CONFIG, Count, Positive, Share
from search.training.schedule import Budget, RateRule
from search.training.settings import Grid, Transfer

AdaptiveRate = Annotated[float, Field(gt=0.0, le=1.0)]  # about how far each weight moves in a step
Dropout = Annotated[float, Field(ge=0.0, le=0.99)]


@dataclass(frozen=True, config=CONFIG)
class TransferSection:
    """Transfer of settings to children; see `search.training.settings.Transfer`."""

    experienced: Count = 420
    parent_share: Share = 0.8
    best: Count = 100

    def rule(self) -> Transfer:
        """Return the rule with these numbers."""
        return Transfer(self.experienced, self.parent_share, self.best)


@dataclass(frozen=True, config=CONFIG)
class GridSection:
    """Grid of settings; the parameter budgets belong to the tasks."""

    scales: Annotated[tuple[Positive, ...], Field(min_length=1)] = (0.3, 0.7, 1.0, 1.4, 2.0, 2.8)
    learning_rates: Annotated[tuple[Positive, ...], Field(min_length=1)] = (0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0)
    max_norms: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1.0, 2.5, 5.0, 10.0, 20.0)
    layers: Annotated[tuple[Annotated[int, Field(ge=1, le=16)], ...], Field(min_length=1)] = (1, 2, 3, 4)
    optimisers: Annotated[tuple[OptimiserName, ...], Field(min_length=1)] = (OptimiserName.SGD,)
    # Learning rates of Adam and AdamW; `learning_rates` are those of SGD. (This and the next: not in the study.)
    adam_learning_rates: Annotated[tuple[AdaptiveRate, ...], Field(min_length=1)] = (0.001, 0.002, 0.005, 0.01)
    weight_decays: Annotated[tuple[Share, ...], Field(min_length=1)] = (0.01,)  # of AdamW
    dropouts: Annotated[tuple[Dropout, ...], Field(min_length=1)] = (0.0,)  # (this and below: not in the study)
    variational: bool = False  # kind of dropout; see `search.kernels.dropout`
    tied: bool = False  # whether the readout has the matrix of the embedding (Press and Wolf 2017)

    @model_validator(mode="after")
    def _used(self) -> "GridSection":
        if self.variational and not any(self.dropouts):
            raise ValueError(
                "grid.variational is true, but grid.dropouts has nothing above 0; add a dropout, or leave it out"
            )
        kinds = [OPTIMISERS[name] for name in self.optimisers]
        for name, used, optimisers in (
            ("learning_rates", not all(kind.adaptive for kind in kinds), "sgd"),
            ("adam_learning_rates", any(kind.adaptive for kind in kinds), "adam or adamw"),
            ("weight_decays", any(kind.decays for kind in kinds), "adamw"),
        ):
            if not used and getattr(self, name) != getattr(GridSection, name):  # a class has the default values
                raise ValueError(
                    f"grid.{name} is given, but grid.optimisers is {', '.join(self.optimisers)}; leave it out, or add "
                    f"{optimisers} to grid.optimisers"
                )
        return self

    def grid(self, parameter_budgets: tuple[int, ...]) -> Grid:
        """Return the grid of these values with a task's parameter budgets."""
        values = self.scales, self.learning_rates, self.max_norms, self.layers, parameter_budgets
        optimisers = self.optimisers, self.adam_learning_rates, self.weight_decays
        return Grid(*values, *optimisers, self.dropouts, self.variational, self.tied)


@dataclass(frozen=True, config=CONFIG)
class ScheduleSection:
    """Training schedule of a trial; see `search.training.schedule.Budget`."""

    batch: Annotated[int, Field(ge=1, le=4096)] = 20
    unroll: Annotated[int, Field(ge=1, le=4096)] = 35
    epoch_steps: Count = 1000
    epochs: Count = 100
    patience: Count = 3
    halvings: Annotated[int, Field(ge=0, le=100)] = 4
    chance_epochs: Count = 4
    rule: RateRule = RateRule.STUDY  # (this and the next: not in the study)
    warmup: Annotated[int, Field(ge=0, le=10_000_000)] = 0

    @model_validator(mode="after")
    def _fits(self) -> "ScheduleSection":
        for name in ("patience", "halvings"):
            if self.rule is not RateRule.STUDY and getattr(self, name) != getattr(ScheduleSection, name):
                raise ValueError(
                    f"schedule.{name} is {getattr(self, name)}, but the rule '{self.rule}' does not use it; leave it "
                    "out, or set schedule.rule to 'study'"
                )
        self.budget()
        return self

    def budget(self, target: float | None = None) -> Budget:
        """Return the budget with these numbers, and a target metric at which training stops."""
        return Budget(**asdict(self), target=target)
