"""Allocations by name."""

from search.allocations.base import Allocation
from search.allocations.halving import Halving
from search.allocations.stages import Stages

ALLOCATIONS: dict[str, type[Allocation]] = {"stages": Stages, "halving": Halving}
