"""Profiles: defaults, refusals and their messages, and a reader that no input breaks."""

import io
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search.cells.library import STUDY
from search.cells.mutation import Rule
from search.core.errors import SearchError
from search.core.limits import Limits
from search.profiles.loading import load_profile, parse_profile, shipped_profiles
from search.profiles.sections import MAX_BYTES, FinalistsSection, Profile, Role, TaskSection
from search.profiles.training_sections import ScheduleSection
from search.training.schedule import Budget, RateRule

LEAST = "[tasks.xml]\n"


def refusal(text: str) -> str:
    """Return the error of an invalid profile text: one line that begins with its source."""
    with pytest.raises(SearchError) as error:
        parse_profile(text, "my.toml")
    message = str(error.value)
    assert message.startswith("my.toml")
    assert message.isprintable()  # one line among other things
    assert len(message) < 500
    return message


@pytest.mark.parametrize("name", shipped_profiles())
def test_shipped_profiles_load_and_round_trip(name: str) -> None:
    profile = load_profile(name)
    assert profile.description
    assert parse_profile(profile.to_toml(), "again") == profile


def test_a_stored_profile_may_have_a_cell_whose_name_the_library_took_since() -> None:
    text = LEAST + '[cells]\nmgu = "h\' = tanh(linear(x)) * h + linear(x)"\n'
    assert "cells has 'mgu'" in refusal(text)
    profile = parse_profile(text, "a run", stored=True)
    assert list(replace(profile, description="resumed").cells) == ["mgu"]
    with pytest.raises(SearchError, match="cells has 'gru'"):
        parse_profile(text.replace("mgu", "gru"), "a run", stored=True)


@pytest.mark.parametrize("name", ["nan", "NA", "null", "None"])
def test_a_name_that_a_reader_of_the_tables_takes_for_a_missing_value_is_refused(name: str) -> None:
    text = LEAST + f'[cells]\n{name} = "h\' = tanh(linear(x)) * h + linear(x)"\n'
    assert f"a cell is called {name!r}" in refusal(text)
    assert list(parse_profile(text, "a run", stored=True).cells) == [name]
    assert pd.isna(pd.read_csv(io.StringIO(f"name,score\n{name},1\n"))["name"]).all()


def test_the_shipped_profiles_include_the_studys() -> None:
    assert {"paper", "quick"} <= set(shipped_profiles())


def test_the_defaults_are_the_studys_values() -> None:
    profile = parse_profile(LEAST, "x")
    assert profile == Profile(tasks={"xml": TaskSection()})
    assert (profile.search.proposals, profile.search.best, profile.search.strategy) == (10_000, 100, "paper")
    assert profile.search.baselines == tuple(STUDY)
    assert (profile.transfer.experienced, profile.transfer.parent_share, profile.transfer.best) == (420, 0.8, 100)
    assert profile.grid.scales == (0.3, 0.7, 1.0, 1.4, 2.0, 2.8)
    assert profile.grid.learning_rates == (0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0)
    assert profile.grid.max_norms == (1.0, 2.5, 5.0, 10.0, 20.0)
    assert profile.grid.layers == (1, 2, 3, 4)
    assert profile.grid.optimisers == ("sgd",)
    gate, task = profile.memorization, profile.tasks["xml"]
    assert (gate.accuracy, gate.settings, gate.parameters) == (0.95, 1, (25_000,))
    assert (task.threshold, task.settings, task.baseline_settings) == (0.9, 20, "all")
    assert task.parameters == (250_000, 1_000_000)
    assert (task.schedule.batch, task.schedule.unroll) == (20, 35)
    assert (task.schedule.patience, task.schedule.halvings) == (3, 4)
    assert len(profile.grid_of(task)) == 840 * 2


def test_a_schedule_is_a_trials_budget() -> None:
    assert ScheduleSection().budget() == Budget()
    section = ScheduleSection(1, 2, 3, 4, 5, 6, 7)
    assert section.budget(0.5) == Budget(1, 2, 3, 4, 5, 6, 7, target=0.5)
    cosine = ScheduleSection(rule=RateRule.COSINE, warmup=10)
    assert cosine.budget() == Budget(rule=RateRule.COSINE, warmup=10)
    assert list(asdict(section).values()) == [1, 2, 3, 4, 5, 6, 7, "study", 0]


def test_a_grid_of_several_optimisers_has_the_settings_of_each() -> None:
    text = """
        [grid]
        scales = [1.0]
        learning_rates = [0.1, 0.3]
        max_norms = [5.0]
        layers = [1, 2]
        optimisers = ["adamw", "sgd"]
        adam_learning_rates = [0.001, 0.003, 0.01]
        [tasks.xml]
        parameters = [1000]
    """
    profile = parse_profile(text, "x")
    assert parse_profile(profile.to_toml(), "again") == profile
    settings = profile.grid_of(profile.tasks["xml"]).settings
    assert {(s.optimiser.value, s.learning_rate, s.weight_decay) for s in settings} == {
        ("sgd", 0.1, 0.0), ("sgd", 0.3, 0.0), *(("adamw", rate, 0.01) for rate in (0.001, 0.003, 0.01)),
    }  # fmt: skip
    assert len(settings) == 10


def test_every_field_can_be_written_and_read() -> None:
    text = """
        description = "tab\\there, \\"quotes\\", \\u001b and \\u00e9"
        [search]
        proposals = 0
        strategy = "random"
        window = 1
        best = 2
        reexamine = 0
        baselines = ["gru", "lstm"]
        [mutation]
        rule = "one-to-three"
        max_nodes = 20
        attempts = 5
        duplicates = "revisit"
        [transfer]
        experienced = 1
        parent_share = 1
        best = 3
        [grid]
        scales = [1]
        learning_rates = [0.5]
        max_norms = [5]
        layers = [1, 2]
        optimisers = ["sgd", "adamw"]
        adam_learning_rates = [0.002]
        weight_decays = [0, 0.1]
        dropouts = [0, 0.2]
        variational = true
        tied = true
        [memorization]
        accuracy = 0.5
        settings = 4
        transfer = true
        baseline_settings = 5
        parameters = [10_000]
        options = { length = 3 }
        grid = { scales = [2.0] }
        schedule = { batch = 1, unroll = 2, epoch_steps = 3, epochs = 4, patience = 5, halvings = 0, chance_epochs = 7 }
        [limits]
        stalled_seconds = 60
        memory_gib = 1.5
        [cells]
        mine = "h' = tanh(linear(x) + linear(h))"
        [tasks.long-words]
        role = "ranked"
        task = "xml"
        threshold = 0.5
        settings = 6
        baseline_settings = 7
        parameters = [1000, 2000]
        options = { min_letters = 5, flag = true, share = 0.5, name = "x" }
        [tasks.check]
        role = "check"
    """
    profile = parse_profile(text, "x")
    assert parse_profile(profile.to_toml(), "again") == profile
    assert profile.mutation.rule is Rule.ONE_TO_THREE
    assert profile.tasks["check"].role is Role.CHECK
    assert profile.tasks["long-words"].options == {"min_letters": 5, "flag": True, "share": 0.5, "name": "x"}
    assert type(profile.tasks["long-words"].options["flag"]) is bool
    assert profile.grid_of(profile.memorization).scales == (2.0,)
    assert profile.limits.of_trials() == Limits(60.0, 3 * 2**29)
    assert profile.grid_of(profile.tasks["check"]).scales == (1.0,)
    assert list(profile.given) == ["gru", "lstm", "mine"]


def test_checks_are_visited_after_the_ranked_tasks() -> None:
    profile = parse_profile('[tasks.a]\nrole = "check"\n[tasks.b]\n[tasks.c]\nrole = "check"\n[tasks.d]', "x")
    assert profile.ranked == ("b", "d")
    assert profile.visited == ("b", "d", "a", "c")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[search]\npropsals = 3", ["'search.propsals'", "did you mean 'proposals'?"]),
        ("serch = 3", ["'serch'", "did you mean 'search'?"]),
        ("[tasks.xml]\ntreshold = 1", ["'tasks.xml.treshold'", "did you mean 'threshold'?"]),
        ("[tasks.xml.schedule]\nepoch = 1", ["'tasks.xml.schedule.epoch'", "did you mean 'epochs'?"]),
        ("[tasks.xml.grid]\nscale = [1]", ["'tasks.xml.grid.scale'", "did you mean 'scales'?"]),
        ("[memorization.schedule]\nbatches = 1", ["'memorization.schedule.batches'", "did you mean 'batch'?"]),
        ("[memorization]\nacuracy = 1", ["'memorization.acuracy'", "did you mean 'accuracy'?"]),
        ("[transfer]\ninterval = 3", ["'transfer.interval'", "known there are experienced, parent_share, best"]),
        ("[confirmation]\nlooked = 3", ["'confirmation.looked'", "did you mean 'looks'?"]),
        ("[confirmation]\nx = 3", ["known there are contenders, cells, repeats, looks, max_repeats"]),
        ("[memorization]\nx = 3", ["known there are accuracy, settings"]),
        ("[search]\nint = 3", ["'search.int'", "known there are"]),
        ("[grid]\nliterally = 3", ["'grid.literally'", "known there are"]),
    ],
)
def test_an_unknown_key_is_named_with_the_one_that_comes_close(text: str, parts: list[str]) -> None:
    message = refusal(text if "[tasks" in text else text + "\n" + LEAST)
    assert all(part in message for part in parts), message


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[search]\nproposals = -1", ["search.proposals", "-1", "greater than or equal to 0"]),
        ("[search]\nproposals = 1.5", ["search.proposals", "1.5", "integer"]),
        ("[search]\nproposals = 3.0", ["search.proposals", "3.0", "integer"]),
        ("[search]\nproposals = true", ["search.proposals", "True", "integer"]),
        ('[search]\nproposals = "3"', ["search.proposals", "'3'", "integer"]),
        ("[search]\nwindow = 0", ["search.window", "0", "greater than or equal to 1"]),
        ("[search]\nreexamine = 1.5", ["search.reexamine", "1.5", "less than or equal to 1"]),
        ("[search]\nreexamine = nan", ["search.reexamine", "nan", "finite"]),
        ('[search]\nreexamine = "0.5"', ["search.reexamine", "'0.5'", "number"]),
        ("[search]\nreexamine = true", ["search.reexamine", "True", "number"]),
        ("[search]\nstrategy = 3", ["search.strategy", "3", "string"]),
        ("[search]\nstrategy = 1979-05-27", ["search.strategy", "1979-05-27", "string"]),
        ("description = 07:32:00", ["description", "07:32:00", "string"]),
        ("search = 3", ["search", "3"]),
        ('[mutation]\nrule = "two"', ["mutation.rule", "'two'", "'each-node', 'one-to-three' or 'one'"]),
        ('[mutation]\nduplicates = "keep"', ["mutation.duplicates", "'keep'", "'reject' or 'revisit'"]),
        ("[grid]\nscales = []", ["grid.scales", "at least 1 item"]),
        ("[grid]\nscales = [1, -1]", ["grid.scales.1", "-1", "greater than 0"]),
        ("[grid]\nscales = 1", ["grid.scales", "1"]),
        ("[grid]\nlearning_rates = [inf]", ["grid.learning_rates.0", "inf", "finite"]),
        ("[grid]\nlayers = [17]", ["grid.layers.0", "17", "less than or equal to 16"]),
        ("[grid]\nlayers = [1.0]", ["grid.layers.0", "1.0", "integer"]),
        ("[memorization]\ntransfer = 1", ["memorization.transfer", "1", "boolean"]),
        ("[limits]\nstalled_seconds = 0.5", ["limits.stalled_seconds", "0.5", "greater than or equal to 1"]),
        ("[limits]\nmemory_gib = inf", ["limits.memory_gib", "inf", "finite"]),
        ('[tasks.xml]\nrole = "none"', ["tasks.xml.role", "'none'", "'ranked' or 'check'"]),
        ('[tasks.xml]\nbaseline_settings = "some"', ["tasks.xml.baseline_settings", "'some'"]),
        ("[tasks.xml]\nbaseline_settings = 0", ["tasks.xml.baseline_settings", "0", "greater than or equal to 1"]),
        ("[tasks.xml]\noptions = { a = [1] }", ["tasks.xml.options.a", "[1]"]),
        ("[tasks.xml]\noptions = { a = 1979-05-27 }", ["tasks.xml.options.a", "1979-05-27"]),
        ("[tasks.xml]\nparameters = [0]", ["tasks.xml.parameters.0", "0", "greater than or equal to 1"]),
        ("[tasks.xml.schedule]\nhalvings = 101", ["tasks.xml.schedule.halvings", "101", "less than or equal to 100"]),
    ],
)
def test_a_wrong_value_is_named_with_its_place_and_the_rule(text: str, parts: list[str]) -> None:
    message = refusal(text if "[tasks" in text else text + "\n" + LEAST)
    assert all(part in message for part in parts), message
    assert "more)" not in message  # it is one mistake


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["no task has the role 'ranked'"]),
        ('[tasks.xml]\nrole = "check"', ["no task has the role 'ranked'"]),
        ("[tasks.memorization]", ["memorization", "[memorization]"]),
        ('[tasks."a b"]', ["'a b'", "letters"]),
        ('[tasks."../x"]', ["'../x'", "letters"]),
        ('[tasks.""]', ["''", "letters"]),
        (f"[tasks.{'x' * 41}]", ["x" * 41, "letters"]),
        ('[search]\nbaselines = ["gru"]\n[tasks.xml]', ["lacks 'lstm'"]),
        ('[search]\nbaselines = ["gru", "lstm", "none"]\n[tasks.xml]', ["'none'", "gatesearch cells"]),
        ('[search]\nbaselines = ["gru", "lstm", "gru"]\n[tasks.xml]', ["'gru'", "twice"]),
        ('[cells]\ngru = "h\' = tanh(linear(x))"\n[tasks.xml]', ["'gru'"]),
        ('[cells]\nmine = "h = 3"\n[tasks.xml]', ["cells.mine"]),
        (
            '[tasks.xml.schedule]\nrule = "cosine"\nhalvings = 2',
            ["schedule.halvings is 2, but the rule 'cosine' does not use it", "leave it out"],
        ),
        (
            "[grid]\nvariational = true\n[tasks.xml]",
            ["grid.variational is true, but grid.dropouts has nothing above 0"],
        ),
        ("[tasks.xml.schedule]\nwarmup = 2", ["warmup is 2 steps, which the rule 'study' does not have"]),
        ('[tasks.xml.schedule]\nrule = "cosine"\nepochs = 1\nwarmup = 1000', ["warmup is 1,000", "has 1,000; set"]),
        (
            '[grid]\noptimisers = ["adam"]\nlearning_rates = [0.003]\n[tasks.xml]',
            ["grid.learning_rates is given, but grid.optimisers is adam", "add sgd to grid.optimisers"],
        ),
        ("[grid]\nadam_learning_rates = [0.003]\n[tasks.xml]", ["grid.adam_learning_rates", "add adam or adamw to"]),
        ('[tasks.xml.grid]\noptimisers = ["adam"]\nweight_decays = [0.1]', ["grid.weight_decays", "add adamw to"]),
        (f"[tasks.xml]\nparameters = {list(range(1, 5001))}", ["tasks.xml", "4,200,000", "settings"]),
    ],
)
def test_a_profile_that_contradicts_itself_is_refused(text: str, parts: list[str]) -> None:
    message = refusal(text)
    assert all(part in message for part in parts), message


def test_several_mistakes_are_counted() -> None:
    message = refusal("[search]\nwindow = 0\nproposals = -1\nbets = 1\n[tasks.xml]")
    assert message.endswith(" (and 2 more)")


@pytest.mark.parametrize(
    "text",
    [
        "[search",
        "a = 1\na = 2",
        "a = \x00",
        "a = " + "[" * 30_000,
        "a = " + "9" * 5000,
        "[tasks.xml.options]\na = " + "9" * 5000,
        "[tasks.xml.options]\na = 0x" + "f" * 5000,
        "[tasks.xml]\noptions." + "a." * 2_000 + "b = 1",
        "a." * 2_000 + "b = 1",
        "[tasks.xml]\n" + "k" * 60_000 + " = 1",
        '[tasks.xml]\n"\\u001b[31m\\n" = 1',
        '[tasks."\\u001b[31m\\n"]\nrole = 3',
        '[tasks.xml]\ntask = "\\u0000"\nrole = "\\u001b[2J\\u0007"',
        "[tasks.xml.options]\na = " + "[" * 90 + "]" * 90,
    ],
)
def test_hostile_texts_get_one_readable_line(text: str) -> None:
    refusal(text)


def test_whole_numbers_larger_than_any_machine_word_survive() -> None:
    text = f"[tasks.xml.options]\na = {10**30}"
    profile = parse_profile(text, "x")
    assert profile.tasks["xml"].options == {"a": 10**30}
    assert parse_profile(profile.to_toml(), "again") == profile


def test_a_name_that_is_not_shipped_gets_a_hint() -> None:
    with pytest.raises(SearchError, match=r"^profile 'papr' is unknown; did you mean paper\?"):
        load_profile("papr")
    with pytest.raises(SearchError, match=r"^profile 'zzzz' is unknown; shipped are .*paper"):
        load_profile("zzzz")


def test_a_file_is_read_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    profile = replace(load_profile("paper"), description="é")
    path.write_text(profile.to_toml(), "utf-8")
    assert load_profile(str(path)) == profile


def test_files_that_cannot_be_read_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "binary.toml").write_bytes(bytes(range(256)))
    (tmp_path / "zeros.toml").write_bytes(bytes(100))
    (tmp_path / "huge.toml").write_text("#" * (MAX_BYTES + 1))
    (tmp_path / "full.toml").write_text("#" * (MAX_BYTES - len(LEAST) - 1) + "\n" + LEAST)
    os.mkfifo(tmp_path / "pipe.toml")
    expected = {
        "missing.toml": "No such file",
        "folder.toml": "not a regular file",
        "pipe.toml": "not a regular file",
        "binary.toml": "not UTF-8",
        "zeros.toml": "not valid TOML",
        "huge.toml": "65,537 bytes",
        "nul\0.toml": "cannot be read",
        "x" * 300 + ".toml": "cannot be read",
    }
    for name, reason in expected.items():
        with pytest.raises(SearchError) as error:
            load_profile(str(tmp_path / name))
        assert reason in str(error.value)
        assert "\n" not in str(error.value)
    assert load_profile(str(tmp_path / "full.toml")) == Profile(tasks={"xml": TaskSection()})


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats()
    | st.text(max_size=8)
    | st.dates()
    | st.times()
    | st.sampled_from(["all", "gru", "lstm", "check", "ranked", "paper", 1, 0.5])
)
WORDS = st.sampled_from(
    ["search", "tasks", "xml", "grid", "scales", "schedule", "options", "memorization", "cells", "role", "parameters",
     "baselines", "baseline_settings", "layers", "window", "epochs", "int", "str"]
)  # fmt: skip
VALUES = st.recursive(
    SCALARS.filter(lambda value: value is not None),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def accepted_or_refused(text: str) -> None:
    refused = None
    try:
        profile = parse_profile(text, "my.toml")
    except SearchError as error:
        refused = str(error)
    if refused is not None:
        assert refused.startswith("my.toml")
        assert refused.isprintable()
        return
    assert parse_profile(profile.to_toml(), "again") == profile


@FUZZ
@given(st.dictionaries(WORDS, VALUES, max_size=5))
def test_any_data_are_accepted_or_refused_in_one_line(data: dict[str, Any]) -> None:
    accepted_or_refused(tomli_w.dumps(data))


@FUZZ
@given(
    st.dictionaries(WORDS, VALUES, max_size=4), st.sampled_from(["search", "grid", "memorization", "mutation", "cells"])
)
def test_any_data_in_a_section_are_accepted_or_refused_in_one_line(data: dict[str, Any], section: str) -> None:
    accepted_or_refused(tomli_w.dumps({section: data, "tasks": {"xml": {}}}))


@FUZZ
@given(st.dictionaries(WORDS, VALUES, max_size=4))
def test_any_data_in_a_task_are_accepted_or_refused_in_one_line(data: dict[str, Any]) -> None:
    accepted_or_refused(tomli_w.dumps({"tasks": {"xml": data}}))


@FUZZ
@given(st.text(max_size=60) | st.text("[]{}=.\"'\\#\n ab1_-:+", max_size=60))
def test_any_text_is_accepted_or_refused_in_one_line(text: str) -> None:
    accepted_or_refused(text)


@FUZZ
@given(st.integers(0, 1500), st.characters())
def test_a_shipped_profile_with_one_character_changed_is_accepted_or_refused(place: int, character: str) -> None:
    text = load_profile("paper").to_toml()
    place %= len(text)
    accepted_or_refused(text[:place] + character + text[place + 1 :])


def test_finalists_are_counted_and_a_profile_without_them_gets_the_default() -> None:
    assert parse_profile(LEAST, "x").finalists == FinalistsSection(cells=10, repeats=5)
    none = parse_profile(LEAST + "[finalists]\ncells = 0\n", "x")
    assert none.finalists.cells == 0
    assert "finalists.repeats is 1; it should be greater than or equal to 2" in refusal(
        LEAST + "[finalists]\nrepeats = 1\n"
    )
    assert "did you mean 'repeats'?" in refusal(LEAST + "[finalists]\nrepeat = 3\n")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a" + ".a" * 30_000 + " = 1", "line 1 has more than 1,000 dots"),
        ("#" * 2_000_000, "at most 1,048,576 are read"),
        ("a = " + "[" * 50_000, "nested too deeply"),
        ("\n".join(f"[tasks.t{k}]" for k in range(33)), "tasks .*at most 32"),
        (f"{LEAST}\n[cells]\n" + "\n".join(f'c{k} = "h\' = x"' for k in range(1001)), "cells .*at most 1000"),
    ],
)
def test_what_would_take_minutes_or_gigabytes_is_refused_at_once(text: str, reason: str) -> None:
    with pytest.raises(SearchError, match=reason) as caught:
        parse_profile(text, "p")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
