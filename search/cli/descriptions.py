"""Display of the data that a task read: a line, a table by split, warnings, and JSON."""

from typing import Any

from rich.table import Table

from tasks.description import Description, Fact, Kind
from tasks.interface import OUTPUTS, Interface
from tasks.task import Split, Task
from tasks.watch import OwnCode

REPEATED = 0.05
"""Share of a split's steps in sequences of another split, above which the task is warned about."""


def summary_line(name: str, task: Task) -> str:
    """Return what was read for a task on one line; the shares and means are those of validation."""
    shown = {split: task.description(split) for split in Split}
    validation = shown[Split.VALIDATION]
    both = task.interface
    kind = _counted(both.output_size, OUTPUTS[both.output].unit)
    steps = " + ".join("endless" if each.endless else f"{each.steps:,}" for each in shown.values())
    parts = [kind, f"{steps} steps"]
    if both != Interface.same(both.output, both.output_size):
        read = "symbols" if both.reads_symbols else "values"
        parts[0] = f"{_counted(both.input_size, read)} to {parts[0]}"
    if validation.counted < validation.steps:
        parts.append(f"{_percent(validation.loss_mask_share)} of them in the loss mask")
    shown_kinds = (Kind.SHARE, Kind.MEAN)
    parts += [f"{_value(fact)} {fact.name}" for fact in validation.facts if fact.kind in shown_kinds]
    return f"{name}: {', '.join(parts)}, from {validation.source}"


def warnings_of(name: str, task: Task) -> list[str]:
    """Return a line for each fact that is beyond its limit, and for sequences in two splits; of the worst split."""
    shown = {split: task.description(split) for split in Split}
    worst: dict[str, tuple[Split, Fact]] = {}
    for split, each in shown.items():
        for fact in each.facts:
            if fact.value > fact.limit and (fact.name not in worst or fact.value > worst[fact.name][1].value):
                worst[fact.name] = split, fact
    lines = [
        f"{name}: {_warning(fact)}{'' if fact.whole else f' in {split}'}; {fact.remedy}"
        for split, fact in worst.values()
    ]
    split = max((Split.VALIDATION, Split.TEST), key=lambda each: shown[each].repeated_share)
    if (each := shown[split]).repeated_share > REPEATED:
        lines.append(
            f"{name}: of {each.sequences:,} {each.unit} in {split}, {each.repeated:,} are in another split, too "
            f"({_percent(each.repeated_share)} of the steps); leave them out of one of the two"
        )
    return lines


def description_table(task: Task) -> Table:
    """Return a table of what was read: a row for each number, a column for each split."""
    shown = [task.description(split) for split in Split]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")  # wrapped between words on a narrow terminal
    for split, each in zip(Split, shown, strict=True):
        table.add_column(f"{split} (sample)" if each.endless else split.value, justify="right", no_wrap=True)
    table.add_row(shown[0].unit, *(f"{each.sequences:,}" for each in shown))
    table.add_row("steps", *(f"{each.steps:,}" for each in shown))
    table.add_row("in the loss mask", *(_percent(each.loss_mask_share) for each in shown))
    kind = OUTPUTS[task.output].unit
    table.add_row(f"{kind} seen of {task.output_size:,}", *(f"{each.seen:,}" for each in shown))
    names = dict.fromkeys(fact.name for each in shown for fact in each.facts)
    for name in names:
        table.add_row(name, *(_value(_fact(each, name)) for each in shown))
    table.add_row(f"{shown[0].unit} in another split, too", *(f"{each.repeated:,}" for each in shown))
    table.add_row("steps of those", *(_percent(each.repeated_share) for each in shown))
    baseline = f"{task.baseline_name}, {task.metric.name}"
    if baseline not in names:  # a task of forecasts has it among its facts
        constants = (f"{task.constant_baseline(split):.4f}" for split in (Split.VALIDATION, Split.TEST))
        table.add_row(baseline, "", *constants)
    ceilings = [ceiling_of(task, split) for split in Split]
    if any(ceiling is not None for ceiling in ceilings):
        table.add_row(f"ceiling, {task.metric.name}", *("" if it is None else f"{it:.4f}" for it in ceilings))
    return table


def description_json(task: Task) -> dict[str, dict[str, Any]]:
    """Return what was read by split; a fact's name is its key."""
    found = {}
    for split in Split:
        each = task.description(split)
        found[split.value] = {
            "source": each.source,
            "sequences": each.sequences,
            "unit": each.unit,
            "steps": each.steps,
            "loss_mask_share": each.loss_mask_share,
            "seen": each.seen,
            "repeated": each.repeated,
            "repeated_steps": each.repeated_steps,
            "endless": each.endless,
            "facts": {fact.name: fact.value for fact in each.facts},
            "constant_baseline": None if split is Split.TRAIN else task.constant_baseline(split),
            "ceiling": ceiling_of(task, split),
        }
    return found


def ceiling_of(task: Task, split: Split) -> float | None:
    """Return a task's ceiling; an error in a user's task becomes a `TaskError`."""
    with OwnCode(task, "ceiling"):
        return task.ceiling(split)


def _warning(fact: Fact) -> str:
    """Return a fact in words; a count stands behind its noun, which is a plural also of one."""
    return f"{fact.name}: {_value(fact)}" if fact.kind is Kind.COUNT else f"{_value(fact)} {fact.name}"


def _fact(description: Description, name: str) -> Fact | None:
    return next((fact for fact in description.facts if fact.name == name), None)


def _value(fact: Fact | None) -> str:
    if fact is None:
        return ""
    if fact.kind is Kind.SHARE:
        return _percent(fact.value)
    if fact.kind is Kind.METRIC:
        return f"{fact.value:.4f}"
    return f"{fact.value:,.0f}" if fact.kind is Kind.COUNT else f"{fact.value:.2f}"


def _counted(count: int, noun: str) -> str:
    """Return a number with a noun, which is given in the plural."""
    return f"{count:,} {noun.removesuffix('s') if count == 1 else noun}"


def _percent(share: float) -> str:
    """Return a share in percent; one that is neither 0 nor 1 never looks as if it were."""
    text = f"{100 * share:.1f} %"
    if text == "0.0 %" and share > 0:
        return "< 0.1 %"
    if text == "100.0 %" and share < 1:
        return "> 99.9 %"
    return text.replace(".0 %", " %") if share in (0, 1) else text
