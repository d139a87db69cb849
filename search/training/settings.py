"""Settings: the points of the hyperparameter grid.

The values are those of Jozefowicz et al. 2015, section 3.2 (those of the music tasks are ours). A setting's key is its
text: it is what the store knows a trial by, and what a trial's random seed is made of.
"""

import itertools
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from results.store.errors import ResultsError
from results.store.setting_key import FIELDS, read_key, write_key
from search.core.errors import SearchError


@dataclass(frozen=True, order=True)
class Setting:
    """One point of the grid.

    `scale`: weights start in U[-s, s], s = scale / sqrt(units). `learning_rate`: for a loss that is averaged over the
    batch and summed over time. `max_norm`: longer gradients are scaled down to this length. `layers`: cells stacked.
    `parameter_budget`: number of parameters that
    the number of units is derived from.
    """

    scale: float
    learning_rate: float
    max_norm: float
    layers: int
    parameter_budget: int

    @property
    def key(self) -> str:
        """The setting as JSON text; equal settings have equal keys."""
        values = {field.name: getattr(self, _ATTRIBUTES.get(field.name, field.name)) for field in FIELDS}
        return write_key(values)

    @classmethod
    def from_key(cls, key: str) -> "Setting":
        """Parse a setting from its key. Raises `SearchError` if the key is malformed or of a later version."""
        try:
            values = read_key(key)
        except ResultsError as error:
            raise SearchError(str(error)) from error
        return cls(**{_ATTRIBUTES.get(name, name): value for name, value in values.items()})  # type: ignore[arg-type]


_ATTRIBUTES = {"parameters": "parameter_budget"}
"""Attributes that have another name in the key."""


@dataclass(frozen=True)
class Grid:
    """The settings allowed: all combinations of the values of five lists."""

    scales: tuple[float, ...]
    learning_rates: tuple[float, ...]
    max_norms: tuple[float, ...]
    layers: tuple[int, ...]
    parameter_budgets: tuple[int, ...]

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """Every setting once, in a fixed order, even where a list has a value twice."""
        axes = (self.scales, self.learning_rates, self.max_norms, self.layers, self.parameter_budgets)
        return tuple(dict.fromkeys(Setting(*values) for values in itertools.product(*axes)))

    def __len__(self) -> int:
        return len(self.settings)

    def draw(
        self, count: int, rng: np.random.Generator, exclude: Collection[Setting] = frozenset()
    ) -> tuple[Setting, ...]:
        """Up to `count` different settings that are not excluded, all equally likely; fewer where the grid runs out."""
        left = [setting for setting in self.settings if setting not in exclude]
        chosen = rng.choice(len(left), size=min(count, len(left)), replace=False) if left else ()
        return tuple(left[int(i)] for i in chosen)


@dataclass(frozen=True)
class Transfer:
    """Where a child's settings come from; the study's rule, as recalled (Jozefowicz et al. 2015 do not print it).

    A parent with more than `experienced` settings passes on `parent_share` of them from its best `best`, the rest is
    random. Otherwise a third is random, a third from the best `best` settings of the seeds, and a third from those
    tried on the parent.
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
        """Up to `count` different settings of `grid`.

        `parent` and `seeds` are the settings tried on the parent and on the seeds, best first. A source that has
        nothing new leaves its share to chance.
        """
        # Everything that a search decides by is drawn in one fixed order, so that it is a function of the generator.
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
