"""Rungs of a run with successive halving: how many candidates reached each of them, and how much training that saved.

The k-th proposal of a cell trains it to the k-th rung: the first is the share `eta ** (1 - rungs)` of the steps, the
last but one a whole training, and the last one further seeds.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from results.store.endings import paused_at
from results.store.errors import StoreError, damaged
from results.store.store import Store
from results.store.toml import parse_toml
from results.store.words import COMPLETE, MEMORIZATION, Origin, ProposalKind


@dataclass(frozen=True)
class Ladder:
    """Rungs that a profile plans.

    Attributes:
        eta: factor between the shares of two rungs.
        rungs: number of rungs up to a whole training.
        seeds: further seeds of the rung on top; 0 if there is no such rung.
        steps: steps of the whole schedule, by task.
    """

    eta: int
    rungs: int
    seeds: int
    steps: Mapping[str, int]

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of a schedule's steps at each rung, ending with 1."""
        return rung_shares(self.eta, self.rungs)

    def marks(self, task: str) -> tuple[int, ...]:
        """Return the step of each rung of a task at which its trials pause, lowest first."""
        return marks_of(self.shares, self.steps[task])


@dataclass(frozen=True)
class RungCount:
    """Number of candidates at one rung.

    Attributes:
        rung: the rung, from 1.
        share: share of the steps of a schedule to which its trials are trained; 1 for the rung of further seeds.
        tried: candidates whose proposal at this rung has ended.
        promoted: candidates of these that have been trained at the next rung.
        stopped: candidates of these that ended at a task: too far behind the reference, or all trials failed.
    """

    rung: int
    share: float
    tried: int
    promoted: int
    stopped: int


@dataclass(frozen=True)
class Rungs:
    """Counts of the rungs of a run, and the training of its candidates.

    Training is counted in steps, and in steps times trained parameters, which is nearer to the time that it takes. A
    step that was repeated because a checkpoint was lost is counted once.

    Attributes:
        rungs: the rungs in order.
        promotions: number of promotions that have ended.
        steps: steps of the trials of candidates, and of the further seeds of the reference cell.
        full_steps: steps that the same candidates would have taken if each was trained in full on all tasks, with as
            many settings as were tried on it. A full training is as long as the mean of the given cells' trials.
        weighted: as `steps`, of steps times parameters.
        full_weighted: as `full_steps`, of steps times parameters.
    """

    rungs: tuple[RungCount, ...]
    promotions: int
    steps: float
    full_steps: float
    weighted: float
    full_weighted: float

    @property
    def whole(self) -> int:
        """Number of the rung of a whole training."""
        return 1 + [rung.share for rung in self.rungs].index(1.0)

    @cached_property
    def share_of_steps(self) -> float | None:
        """Share that `steps` is of `full_steps`; None before there is a candidate."""
        return self.steps / self.full_steps if self.full_steps else None

    @cached_property
    def share_of_weighted(self) -> float | None:
        """Share that `weighted` is of `full_weighted`; None before there is a candidate."""
        return self.weighted / self.full_weighted if self.full_weighted else None

    @property
    def line(self) -> str | None:
        """One line on what was saved, or None before there is a candidate."""
        if self.share_of_steps is None or self.share_of_weighted is None:
            return None
        return (
            f"halving trained {100 * self.share_of_steps:.2g} % of the steps of training every candidate in full "
            f"({100 * self.share_of_weighted:.2g} % if a step counts by its parameters)"
        )


def rung_shares(eta: int, rungs: int) -> tuple[float, ...]:
    """Return the share of a schedule's steps at each rung up to a whole training, which is the last."""
    return tuple(float(eta ** (rung + 1 - rungs)) for rung in range(rungs))


def marks_of(shares: tuple[float, ...], steps: int) -> tuple[int, ...]:
    """Return the steps at which trials of a schedule pause: the shares of its steps, without the last, which is 1."""
    return tuple(max(1, round(share * steps)) for share in shares[:-1])


def ladder_of(store: Store) -> Ladder | None:
    """Return the rungs of a run's profile, or None if it has none.

    Raises:
        StoreError: the stored profile is invalid.
    """
    try:
        return _ladder(parse_toml(store.profile))
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise StoreError(damaged(store.path, f"invalid profile: {error}")) from error


def rungs_of(store: Store) -> Rungs | None:
    """Return the counts of a run with halving as it is now, or None if it has no rungs.

    Raises:
        StoreError: the store cannot be read, or its profile is invalid.
    """
    ladder = ladder_of(store)
    if ladder is None:
        return None
    tried, promoted, stopped = Counter[int](), Counter[int](), Counter[int]()
    promotions = 0
    for _, kind, _, rung, outcome in candidate_proposals(store):
        promotions += kind == ProposalKind.PROMOTE
        tried[rung] += 1
        if rung:
            promoted[rung - 1] += 1
        stopped[rung] += outcome not in (COMPLETE, paused_at(rung))
    shares = ladder.shares + (1.0,) * (ladder.seeds > 0)
    counts = (RungCount(r + 1, share, tried[r], promoted[r], stopped[r]) for r, share in enumerate(shares))
    return Rungs(tuple(counts), promotions, *_training(store))


def candidate_proposals(store: Store) -> Iterator[tuple[int, str, str, int, str]]:
    """Yield index, kind, cell, rung (from 0) and outcome of the proposals of cells in order, without the baselines.

    Raises:
        StoreError: the store cannot be read.
    """
    reached: dict[str, int] = {}
    sql = 'SELECT "index", kind, cell, outcome FROM proposals WHERE "index" >= 0 AND cell IS NOT NULL ORDER BY "index"'
    for index, kind, cell, outcome in store.typed(sql, {"index": int, "kind": str, "cell": str, "outcome": str}):
        rung = reached[cell] = reached.get(cell, -1) + 1
        yield index, kind, cell, rung, outcome


_TRIALS = """
    SELECT cell, origin = ? AS given, task, repeat < 0 AS further, count(*), sum(steps), sum(steps * 1.0 * parameters)
    FROM trials JOIN cells ON cells.id = trials.cell
    WHERE repeat <= 0 AND task <> ? GROUP BY cell, task, further"""
_COLUMNS = {"cell": str, "given": int, "task": str, "further": int, "trials": int, "steps": int, "weighted": float}


def _training(store: Store) -> tuple[float, float, float, float]:
    """Return the training of the candidates and that of training them in full, in steps and weighted."""
    steps = weighted = 0.0
    settings: dict[str, int] = {}  # of each candidate: the most that were tried on a task
    whole: dict[str, list[float]] = {}  # by task: trials of the given cells, their steps, the same weighted
    found = store.typed(_TRIALS, _COLUMNS, (Origin.BASELINE.value, MEMORIZATION))
    for cell, given, task, further, trials, done, products in found:
        if given and not further:
            sums = whole.setdefault(task, [0.0, 0.0, 0.0])
            whole[task] = [total + more for total, more in zip(sums, (trials, done, products), strict=True)]
        else:
            steps, weighted = steps + done, weighted + products
            if not given and not further:
                settings[cell] = max(settings.get(cell, 0), trials)
    tried = sum(settings.values())
    each = sum(total / trials for trials, total, _ in whole.values())
    each_weighted = sum(total / trials for trials, _, total in whole.values())
    return steps, tried * each, weighted, tried * each_weighted


def _ladder(profile: dict[str, Any]) -> Ladder | None:
    if profile.get("search", {}).get("allocation") != "halving":
        return None
    section = profile["halving"]
    eta, rungs, seeds = (_whole(section, name, most) for name, most in (("eta", 10), ("rungs", 6), ("seeds", 100)))
    if eta < 2 or rungs < 2:
        raise ValueError(f"halving.eta is {eta} and halving.rungs {rungs}; both are at least 2")
    steps = {}
    for task, settings in profile["tasks"].items():
        schedule = settings["schedule"]
        steps[task] = math.prod(_whole(schedule, name, 10_000_000) for name in ("epoch_steps", "epochs"))
    return Ladder(eta, rungs, seeds, steps)


def _whole(section: Mapping[str, Any], name: str, most: int) -> int:
    value = section[name]
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{name} is {str(value)[:40]}; it is a whole number from 0 to {most}")
    return value
