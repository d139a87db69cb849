"""Strategies by name."""

from difflib import get_close_matches

from results.store.words import OUTSIDE
from search.core.errors import SearchError
from search.strategies.base import Strategy
from search.strategies.evolution import EvolutionStrategy
from search.strategies.local import LocalStrategy
from search.strategies.outside import OutsideStrategy
from search.strategies.paper import PaperStrategy
from search.strategies.random import RandomStrategy
from search.strategies.sample import SampleStrategy

STRATEGIES: dict[str, type[Strategy]] = {
    "paper": PaperStrategy,
    "random": RandomStrategy,
    "evolution": EvolutionStrategy,
    "local": LocalStrategy,
    "sample": SampleStrategy,
}
"""Strategies that search by themselves."""


def strategy_class(name: str) -> type[Strategy]:
    """Return the strategy with this name: one of `STRATEGIES`, or that of runs whose cells come from outside.

    Raises:
        SearchError: there is no such strategy; the message lists the known names.
    """
    if name == OUTSIDE:
        return OutsideStrategy
    if name not in STRATEGIES:
        near = get_close_matches(name, STRATEGIES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(STRATEGIES)}"
        raise SearchError(f"strategy {name!r} is unknown; {hint}")
    return STRATEGIES[name]


def check_searches(name: str) -> None:
    """Check that a strategy proposes cells by itself.

    Raises:
        SearchError: it does not, or there is no such strategy.
    """
    if strategy_class(name) is OutsideStrategy:
        raise SearchError(
            f"a search with the strategy {name!r} proposes nothing by itself; tell it cells with 'gatesearch tell', "
            f"or choose one of {', '.join(STRATEGIES)}"
        )
