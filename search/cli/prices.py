"""Costs of the remedies that findings name."""

from functools import cache

from results.scores.finding import Remedy, Way
from search.cli.display import duration
from search.profiles.loading import load_profile


def price(remedy: Remedy) -> str:
    """Return the time that a remedy takes on one core, as text."""
    return duration(_baselines_seconds() if remedy.way is Way.BASELINES else remedy.seconds or 0.0)


@cache
def _baselines_seconds() -> float:
    """Return the estimated seconds of the profile `baselines` on one core of this machine."""
    from search.engine.cost import estimate
    from search.profiles.tasks import load_tasks

    profile = load_profile("baselines")
    return estimate(profile, load_tasks(profile)).most
