"""Plans: what a method changes, what all share, and one line for whatever is wrong."""

from pathlib import Path

import pytest

from search.compare.plan import base_profile, method_profile, parse_plan, read_plan
from search.core.errors import SearchError
from search.training.simulation import Simulation
from tests.tiny import TINY

PLAN = """
profile = "quick"
seeds = [0, 1]
trainings = 5
[methods.paper]
search.strategy = "paper"
[methods.other]
search = { strategy = "random", window = 3 }
tasks.xml.settings = 1
mutation.rule = "each-node"
[simulation]
planted = 0.2
"""


def test_a_method_is_the_profile_with_its_changes_and_no_ending_of_its_own() -> None:
    plan = parse_plan(PLAN, "p")
    base, other = base_profile(plan), method_profile(plan, "other", compute=7e9)
    assert (base.search.strategy, base.search.window, base.tasks["xml"].settings) == ("paper", 8, 2)
    assert (other.search.strategy, other.search.window, other.tasks["xml"].settings) == ("random", 3, 1)
    assert other.tasks["xml"].options == base.tasks["xml"].options
    assert (other.search.compute, other.search.proposals) == (7e9, 10_000)
    assert (other.finalists.cells, other.confirmation.contenders) == (0, 0)
    assert plan.simulation is not None
    assert plan.simulation.simulation().planted == 0.2


def test_a_plan_is_written_with_its_profile_and_read_back(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(TINY)
    (tmp_path / "plan.toml").write_text(PLAN.replace('"quick"', '"mine.toml"'))
    plan = read_plan(tmp_path / "plan.toml")
    assert list(base_profile(plan).tasks) == ["xml", "arithmetic"]
    again = parse_plan(plan.to_toml(), "again")
    assert again == plan
    assert method_profile(again, "other") == method_profile(plan, "other")


def test_a_simulation_may_have_a_known_best_cell() -> None:
    plan = parse_plan(PLAN.replace("planted = 0.2", 'optimum = "mut1"'), "p")
    assert plan.simulation is not None
    assert plan.simulation.simulation() == Simulation(optimum="mut1")
    assert parse_plan(plan.to_toml(), "again") == plan


def test_a_plan_may_gain_methods_and_seeds_and_change_nothing_else() -> None:
    plan = parse_plan(PLAN, "p")
    more = PLAN.replace("[0, 1]", "[2, 1, 0]") + '[methods.third]\nsearch.strategy = "random"\n'
    assert plan.same_but_more(parse_plan(more, "p"))
    assert plan.same_but_more(parse_plan('description = "words"\n' + PLAN, "p"))
    for old, new in (
        ("[0, 1]", "[0, 2]"),
        ("trainings = 5", "trainings = 6"),
        ("window = 3", "window = 4"),
        ("planted = 0.2", "planted = 0.3"),
        ('"quick"', '"evening"'),
        ("trainings = 5", 'trainings = 5\nbaseline = "other"'),
        ("[methods.other]", "[methods.another]"),
    ):
        assert not plan.same_but_more(parse_plan(PLAN.replace(old, new), "p")), new


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("strategy =", "strategi =", "methods.other: 'search.strategi' is not a field of a profile; did you mean"),
        ("seeds = [0, 1]", "seeds = [0]", "'seeds' has 1 entries; it needs at least 2"),
        ("seeds = [0, 1]", "seeds = [1, 1]", "seeds has a seed twice"),
        ("seeds = [0, 1]", 'seeds = [0, "a"]', "'seeds.1' is 'a'; it should be a valid integer"),
        ("seeds = [0, 1]", "", "'seeds' is missing; a plan needs methods and seeds"),
        ("trainings = 5", "training = 5", "'training' is not a field of a plan; did you mean 'trainings'?"),
        ("trainings = 5", "", "compute is 0 and trainings is 0; give one of them, above 0"),
        ("trainings = 5", "trainings = 5\ncompute = 3", "compute is 3 and trainings is 5; give one of them"),
        ("trainings = 5", 'trainings = 5\nbaseline = "b"', "baseline is 'b'; the methods are paper, other"),
        ('"random"', '"rondom"', "methods.other: strategy 'rondom' is unknown; did you mean random?"),
        ("tasks.xml.settings = 1", "tasks.xml.options.min_letters = 1", "options of 'xml' is {"),
        ("tasks.xml.settings = 1", 'search.score = "ratio"', "search.score is ratio; all methods need the profile's"),
        ("tasks.xml.settings = 1", "tasks.xml.settings = 0", "methods.other: tasks.xml.settings is 0; it should be"),
        ("tasks.xml.settings = 1", "tasks.echo.settings = 1", "tasks has other tasks than the profile"),
        ("[methods.other]", '[methods."a b"]', "methods has 'a b'; a method's name is 1 to 40 letters"),
        ("planted = 0.2", "planted = 2", "'simulation.planted' is 2; it should be less than or equal to 1"),
        ("planted = 0.2", "plantad = 2", "'simulation.plantad' is not a field of a plan; did you mean 'planted'?"),
        ("planted = 0.2", 'optimum = "grue"', "p: simulation: "),
        ('"quick"', '"qick"', "profile 'qick' is unknown; did you mean quick?"),
        ('"quick"', "3", "'profile' is 3; it should be"),
        ("[simulation]", "[simulation", "p is not valid TOML"),
    ],
)
def test_an_error_is_one_line_with_value_rule_and_remedy(old: str, new: str, message: str) -> None:
    assert old in PLAN
    text = PLAN.replace(old, new) if old != "strategy =" else PLAN.replace('{ strategy = "r', '{ strategi = "r')
    if "search.score" in new:
        text = text.replace("search = { strategy", "search = { score = 'ratio', strategy").replace(new, "")
    with pytest.raises(SearchError) as error:
        parse_plan(text, "p")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_plan_is_named(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match=r"nothing\.toml' cannot be read: No such file"):
        read_plan(tmp_path / "nothing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SearchError, match="it is not UTF-8 text"):
        read_plan(tmp_path / "binary.toml")
    (tmp_path / "large.toml").write_bytes(b"#" * 2_000_000)
    with pytest.raises(SearchError, match="has more than 1,048,576 bytes"):
        read_plan(tmp_path / "large.toml")
