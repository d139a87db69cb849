"""Settings: the points of the hyperparameter grid.

The values of the profiles are those of Jozefowicz et al. 2015, section 3.2, but for the music tasks. A setting's key is
its text: it identifies a trial in the store and is part of the trial's random seed.
"""

import itertools
import math
from bisect import bisect_left
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from results.store.errors import ResultsError
from results.store.setting_key import FIELDS, read_key, write_key
from search.cells.text import quoted
from search.core.errors import SearchError
from search.kernels.optimisers import OPTIMISERS, OptimiserName

Value = TypeVar("Value", int, float, Any)


@dataclass(frozen=True, order=True)
class Setting:
    """Point of the grid.

    Attributes:
        scale: initial weights are drawn from U[-s, s] with s = scale / sqrt(units).
        learning_rate: step size for a loss that is averaged over the batch and summed over time.
        max_norm: gradients are clipped to this norm.
        layers: number of stacked cells.
        parameter_budget: number of parameters from which the number of units is derived.
        optimiser: how a step changes the weights.
        weight_decay: decoupled weight decay; 0 for an optimiser without it.
        dropout: share of the inputs of layers, and of the outputs, that a training step leaves out.
        variational: dropout leaves out the same at every step of a window, and units that recurrent matrices read.
        tied: the readout has the matrix of the embedding.

    Raises:
        SearchError: the optimiser has no weight decay, and one is given; dropout is not from 0 to below 1, or it is 0
            and variational.
    """

    scale: float
    learning_rate: float
    max_norm: float
    layers: int
    parameter_budget: int
    optimiser: OptimiserName = OptimiserName.SGD
    weight_decay: float = 0.0
    dropout: float = 0.0
    variational: bool = False
    tied: bool = False

    def __post_init__(self) -> None:
        if not 0.0 <= self.dropout < 1.0:
            raise SearchError(f"dropout is {self.dropout:g}; it must be a number from 0 to below 1")
        if self.variational and not self.dropout:
            raise SearchError("dropout is 0, which cannot be variational; give a dropout above 0, or leave that out")
        if not 0.0 <= self.weight_decay <= 1.0:
            raise SearchError(f"weight_decay is {self.weight_decay:g}; it must be a number from 0 to 1")
        if self.weight_decay and not OPTIMISERS[self.optimiser].decays:
            raise SearchError(
                f"weight_decay is {self.weight_decay:g}, but the optimiser {self.optimiser} has no weight decay; "
                f"use {OptimiserName.ADAMW}, or leave it out"
            )

    @property
    def key(self) -> str:
        """Setting as JSON text; equal settings have equal keys."""
        values = {field.name: getattr(self, _ATTRIBUTES.get(field.name, field.name)) for field in FIELDS}
        return write_key(values)

    @classmethod
    def from_key(cls, key: str) -> "Setting":
        """Parse a setting from its key. Raises `SearchError` if the key is malformed or of a later version."""
        try:
            values = read_key(key)
        except ResultsError as error:
            raise SearchError(str(error)) from error
        if values["optimiser"] not in list(OptimiserName):
            raise SearchError(
                f"setting key {quoted(key)} has the optimiser {values['optimiser']!r}; this gatesearch knows "
                f"{', '.join(OptimiserName)}, so update it"
            )
        values["optimiser"] = OptimiserName(str(values["optimiser"]))
        return cls(**{_ATTRIBUTES.get(name, name): value for name, value in values.items()})  # type: ignore[arg-type]


_ATTRIBUTES = {"parameters": "parameter_budget"}
"""Attributes that have another name in the key."""


@dataclass(frozen=True)
class Grid:
    """Grid of allowed settings: for each optimiser, all combinations of the values of its lists.

    Learning rates are those of SGD, and `adaptive_rates` those of optimisers that adapt their steps to the gradient;
    `weight_decays` is for optimisers with weight decay. The other lists are common to all. `variational` and `tied`
    hold for all settings, but the former not for those without dropout.
    """

    scales: tuple[float, ...]
    learning_rates: tuple[float, ...]
    max_norms: tuple[float, ...]
    layers: tuple[int, ...]
    parameter_budgets: tuple[int, ...]
    optimisers: tuple[OptimiserName, ...] = (OptimiserName.SGD,)
    adaptive_rates: tuple[float, ...] = ()
    weight_decays: tuple[float, ...] = ()
    dropouts: tuple[float, ...] = (0.0,)
    variational: bool = False
    tied: bool = False

    def rates(self, optimiser: OptimiserName) -> tuple[float, ...]:
        """Return the learning rates of an optimiser."""
        return self.adaptive_rates if OPTIMISERS[optimiser].adaptive else self.learning_rates

    def decays(self, optimiser: OptimiserName) -> tuple[float, ...]:
        """Return the weight decays of an optimiser: 0 alone if it has none."""
        return self.weight_decays if OPTIMISERS[optimiser].decays else (0.0,)

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """Settings in a fixed order, each once, even if a list repeats a value."""
        return tuple(
            dict.fromkeys(
                self._setting(*values) for name in self.optimisers for values in itertools.product(*self._axes(name))
            )
        )

    @property
    def combinations(self) -> int:
        """Number of combinations, which is that of the settings if no list repeats a value."""
        return sum(math.prod(map(len, self._axes(name))) for name in self.optimisers)

    def _axes(self, optimiser: OptimiserName) -> tuple[tuple[Any, ...], ...]:
        common = self.max_norms, self.layers, self.parameter_budgets
        return self.scales, self.rates(optimiser), *common, (optimiser,), self.decays(optimiser), self.dropouts

    def _setting(self, *values: Any) -> Setting:
        return Setting(*(*values, self.variational and values[-1] > 0.0, self.tied))

    def __len__(self) -> int:
        return len(self.settings)

    @property
    def middle(self) -> Setting:
        """Middle setting of the first optimiser."""
        return self.middle_of(self.optimisers[0])

    def middle_of(self, optimiser: OptimiserName) -> Setting:
        """Return the setting with the middle value of each list in order; of an even number, the upper middle one."""
        return self._setting(*(_middle(values) for values in self._axes(optimiser)))

    def neighbours(self, setting: Setting) -> tuple[Setting, ...]:
        """Return the settings that differ from this one by one place in one list, other learning rates first.

        Other optimisers come last, each with its middle learning rate and weight decay.
        """
        found: list[Setting] = []
        for name, values in (
            ("learning_rate", self.rates(setting.optimiser)),
            ("scale", self.scales),
            ("max_norm", self.max_norms),
            ("layers", self.layers),
            ("parameter_budget", self.parameter_budgets),
            ("weight_decay", self.decays(setting.optimiser)),
            ("dropout", self.dropouts),
        ):
            ordered = sorted(set(values))
            place = bisect_left(ordered, getattr(setting, name))
            here = place < len(ordered) and ordered[place] == getattr(setting, name)
            near = [ordered[k] for k in (place + here, place - 1) if 0 <= k < len(ordered)]
            for value in near:
                variational = self.variational and value > 0.0 if name == "dropout" else setting.variational
                found.append(replace(setting, **{name: value}, variational=variational))  # type: ignore[arg-type]
        for other in dict.fromkeys(self.optimisers):
            if other is not setting.optimiser:
                rate, decay = _middle(self.rates(other)), _middle(self.decays(other))
                found.append(replace(setting, optimiser=other, learning_rate=rate, weight_decay=decay))
        return tuple(found)

    def draw(
        self, count: int, rng: np.random.Generator, exclude: Collection[Setting] = frozenset()
    ) -> tuple[Setting, ...]:
        """Draw up to `count` different settings that are not excluded, all equally likely; all of them if too few."""
        left = [setting for setting in self.settings if setting not in exclude]
        chosen = rng.choice(len(left), size=min(count, len(left)), replace=False) if left else ()
        return tuple(left[int(i)] for i in chosen)


def _middle(values: tuple[Value, ...]) -> Value:
    return sorted(values)[len(values) // 2]


@dataclass(frozen=True)
class Transfer:
    """Rule for the settings of a child (not stated in Jozefowicz et al. 2015).

    If more than `experienced` settings were tried on the parent, a share `parent_share` of the child's settings comes
    from the parent's best `best`, and the rest is random. Otherwise a third is random, a third comes from the best
    `best` settings of the seeds, and a third from those tried on the parent.
    """

    experienced: int
    parent_share: float
    best: int

    def draw(
        self,
        count: int,
        grid: Grid,
        parent: Collection[Setting],
        seeds: Collection[Setting],
        rng: np.random.Generator,
        exclude: Collection[Setting] = frozenset(),
    ) -> tuple[Setting, ...]:
        """Draw up to `count` different settings of `grid`.

        `parent` and `seeds` are the settings tried on the parent and on the seeds, best first. The share of a source
        without new settings is drawn at random from the grid.
        """
        # The order of the draws is fixed, so that the result is a function of the generator.
        taken = set(exclude)
        chosen: list[Setting] = []
        allowed = set(grid.settings)
        sources: list[tuple[float, list[Setting]]]
        if len(parent) > self.experienced:
            sources = [(self.parent_share, list(parent)[: self.best])]
        else:
            sources = [(1 / 3, list(seeds)[: self.best]), (1 / 3, list(parent))]
        for _ in range(count):
            draw = rng.random()
            pool: list[Setting] = []
            for share, source in sources:
                if draw < share:
                    pool = [s for s in source if s in allowed and s not in taken]
                    break
                draw -= share
            pool = pool or [s for s in grid.settings if s not in taken]
            if not pool:
                break
            setting = pool[int(rng.integers(len(pool)))]
            taken.add(setting)
            chosen.append(setting)
        return tuple(chosen)
