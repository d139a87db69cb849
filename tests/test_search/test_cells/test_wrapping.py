"""Lines for a terminal: no word is broken, and a command can be copied as one line."""

import pytest

from search.cells.wrapping import wrapped

COMMANDS = (
    "gatesearch finalists results/published/evening --cell g509b3a7b --task xml --repeats 39",
    "gatesearch search night --resume",
    "gatesearch report night",
)


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "text",
    [
        "More seeds would decide it: `{}`. Of the named cells, none is better.",
        "  to decide it: {} (about 15 min of one core, by the times of this run)",
        "all trials are kept. Remove the cause, then: {}",
        "next: {}, {}, {}",
        "the run has not ended; continue it with {}; or start another one",
    ],
)
def test_commands_and_words_stay_whole_and_nothing_is_lost(text: str, command: str, width: int) -> None:
    whole = text.replace("{}", command)
    lines = wrapped(whole, width, "    ")
    assert " ".join(" ".join(lines).split()) == " ".join(whole.split())
    assert sum(line.count(command) for line in lines) == text.count("{}")
    assert all(len(line) <= width or command in line for line in lines)
    assert all(line.startswith("    ") for line in lines[1:])
    assert lines[0].startswith("  to") == text.startswith("  to")


def test_a_number_stays_beside_its_percent_sign() -> None:
    assert wrapped("better by 12 % of it", 12) == ["better by", "12 % of it"]
