"""Words of a verdict: how cells stand on tasks, by how much, with which interval."""

from collections.abc import Iterable, Mapping, Sequence

from results.scores.finding import Standing
from results.scores.match import Course, Match, closest, tasks_with

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_TITLES = {"gru": "GRU", "lstm": "LSTM"}


MOST_NAMED = 16
"""Most cells that a sentence names; more are counted."""

_SHOWN = 8


def opponents(matches: Iterable[Match]) -> str:
    """Return the cells that these matches are against, in words."""
    names = sorted({match.other for match in matches})
    return f"the {_title(names[0])}" if len(names) == 1 else " and ".join(_title(name) for name in names)


def account(course: Course, ranked: Sequence[str]) -> str:
    """Return how a cell stands on each task, in words that follow its name."""
    once = _Once()
    ahead = tasks_with(course, Standing.BETTER)
    parts = []
    if ahead:
        against = opponents([match for task in ahead for match in course[task]])
        each = joined([f"{task} ({_lead(course[task], once)})" for task in ahead])
        everywhere = f"all {count_word(ranked)} tasks: " if len(ahead) == len(ranked) > 1 else ""
        parts.append(f"better than {against} on {everywhere}{each}")
    behind: dict[str, dict[str, Match]] = {}
    for task in tasks_with(course, Standing.WORSE):
        worse = sorted((m for m in course[task] if m.standing is Standing.WORSE), key=lambda match: match.other)
        behind.setdefault(joined([f"the {_title(match.other)}" for match in worse]), {})[task] = closest(worse)
    parts += [f"worse than {names} on {_losses(matches, ranked, once)}" for names, matches in behind.items()]
    even: dict[str, list[str]] = {}
    for task in tasks_with(course, Standing.EVEN):
        names = sorted(match.other for match in course[task] if match.standing is Standing.EVEN)
        even.setdefault(joined([f"the {_title(name)}" for name in names]), []).append(task)
    parts += [f"as good as {names} on {all_of(tasks, ranked)}" for names, tasks in even.items()]
    undecided = tasks_with(course, Standing.UNDECIDED)
    if undecided:
        parts.append(f"undecided on {all_of(undecided, ranked)}")
    # Commas inside the brackets are many, so the parts are divided by more.
    return f"is {parts[0]}" + "".join(
        f"{', but' if ahead and behind and k == 0 else '; it is'} {part}" for k, part in enumerate(parts[1:])
    )


class _Once:
    """Chooser of words that are written in full the first time only."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def __call__(self, first: str, later: str) -> str:
        known = first in self._said
        self._said.add(first)
        return later if known else first


def _lead(matches: Sequence[Match], once: _Once) -> str:
    """Return by how much a cell is better, as in `ahead of the LSTM, the closer one, by 8.1 % of the GRU's gain`."""
    match = closest(matches)
    if len(matches) == 1:
        return f"by {_amount(match, once)}"
    return f"ahead of the {_title(match.other)}{once(', the closer one,', '')} by {_amount(match, once)}"


def _losses(matches: Mapping[str, Match], ranked: Sequence[str], once: _Once) -> str:
    """Return tasks with the amounts by which a cell is behind; their range if there are more than two."""
    if len(matches) <= 2:
        return joined([f"{task} (by {_amount(match, once)})" for task, match in matches.items()])
    units = {(match.unit, match.unit.after_number(_title(match.other))) for match in matches.values()}
    if len({unit for unit, _ in units}) > 1:  # no range spans different units
        return joined([f"{task} (by {_amount(match, once)})" for task, match in matches.items()])
    unit, words = min(units)
    words = words if len(units) == 1 else "% of the metric"
    effects = sorted(-match.effect for match in matches.values())
    digits = unit.digits(effects[-1] - effects[0])
    ends = f"{unit.number(effects[0], digits)} to {unit.number(effects[-1], digits)}"
    return f"{all_of(list(matches), ranked)} (by {ends} {words})"


def _amount(match: Match, once: _Once) -> str:
    """Return the size of an effect whatever its sign, with its interval."""
    sign = 1.0 if match.effect >= 0 else -1.0
    low, high = sorted((sign * match.low, sign * match.high))
    unit, digits = match.unit, match.unit.digits(high - low)
    mark = " %" if unit.is_share else ""
    words = once(f" {unit.after_number(_title(match.other))}", mark)
    ends = f"{unit.number(low, digits)} to {unit.number(high, digits)}{mark}"
    return f"{unit.number(sign * match.effect, digits)}{words}, {once('95 % interval ', '')}{ends}"


def distance(match: Match) -> str:
    """Return where a cell stands, as in `+2.1 % of the GRU's gain against the GRU (95 % interval -0.4 to +4.6 %)`."""
    unit, digits = match.unit, match.unit.digits(match.high - match.low)
    effect, low, high = (unit.number(value, digits, "+") for value in (match.effect, match.low, match.high))
    return (
        f"{effect} {unit.after_number(_title(match.other))} against the {_title(match.other)} "
        f"(95 % interval {low} to {high}{' %' if unit.is_share else ''}, {match.repeats} seeds)"
    )


def better_words(cells: Mapping[str, Course], winners: Mapping[str, Sequence[str]], ranked: Sequence[str]) -> str:
    """Return which of these cells are better than their opponents, and on what tasks."""
    groups: dict[str, list[str]] = {}
    if len(winners) > MOST_NAMED:
        on = {task: [cell for cell, tasks in winners.items() if task in tasks] for task in ranked}
        return "; ".join(f"better on {task}: {_first_of(names)}" for task, names in on.items() if names)
    for cell, tasks in winners.items():
        against = opponents([match for task in tasks for match in cells[cell][task]])
        groups.setdefault(against, []).append(f"{cell} on {all_of(tasks, ranked)}")
    return "; ".join(f"better than {against}: {', '.join(words)}" for against, words in groups.items())


def worse_words(cells: Mapping[str, Course], ranked: Sequence[str]) -> str:
    """Return which of these cells are worse than the GRU, grouped by tasks; empty if none is.

    More than `MOST_NAMED` cells are counted, not named.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for cell, course in cells.items():
        lost = {match.task for own in course.values() for match in own if _lost_to_gru(match)}
        if lost:
            groups.setdefault(tuple(task for task in course if task in lost), []).append(cell)
    ordered = sorted(groups.items(), key=lambda item: -len(item[0]))
    if sum(map(len, groups.values())) > MOST_NAMED:
        by_count: dict[int, int] = {}
        for tasks, names in ordered:
            by_count[len(tasks)] = by_count.get(len(tasks), 0) + len(names)
        told = [
            f"{number} on {f'all {count_word(ranked)} tasks' if count == len(ranked) > 1 else _tasks(count)}"
            for count, number in by_count.items()
        ]
        return f"{sum(by_count.values())} of {len(cells)} cells, {joined(told)}"
    return "; ".join(f"{joined(names)} on {all_of(tasks, ranked)}" for tasks, names in ordered)


def _tasks(count: int) -> str:
    return f"{_NUMBERS[count] if count < len(_NUMBERS) else count} task{'s' if count > 1 else ''}"


def _first_of(names: Sequence[str]) -> str:
    """Return the first names, and how many others there are."""
    rest = len(names) - _SHOWN
    return joined(names) if rest <= 1 else f"{', '.join(names[:_SHOWN])} and {rest} others"


def _lost_to_gru(match: Match) -> bool:
    return match.other == "gru" and match.standing is Standing.WORSE


def all_of(tasks: Sequence[str], ranked: Sequence[str]) -> str:
    """Return the tasks in words; `all four tasks` if these are all of the ranked ones."""
    return f"all {count_word(ranked)} tasks" if len(tasks) == len(ranked) > 1 else joined(tasks)


def count_word(things: Sequence[object]) -> str:
    """Return the number of things in words, in figures above ten."""
    return _NUMBERS[len(things)] if len(things) < len(_NUMBERS) else str(len(things))


def joined(words: Sequence[str]) -> str:
    """Return words as `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _title(name: str) -> str:
    return _TITLES.get(name, name)
