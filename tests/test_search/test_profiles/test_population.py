"""Initial population of a profile: what an entry may be, how it is written out, and what is refused."""

import pytest

from search.cells.canonical import PRESENT, FormVersion
from search.cells.library import FAMILIES, FAMILY_OF, LIBRARY
from search.core.errors import SearchError
from search.profiles.loading import load_profile, parse_profile, shipped_profiles
from search.profiles.population import ATLAS
from search.profiles.sections import MAX_CELLS, Profile

TASK = "[tasks.xml]\n"
FORMULA = "h' = tanh(linear(x) + linear(h)) * sigmoid(h)"


def profile(population: str, more: str = "") -> Profile:
    return parse_profile(f"[search]\npopulation = {population}\n{more}\n{TASK}", "my.toml")


@pytest.mark.parametrize("name", ["quick", "paper", "micro"])
def test_a_search_starts_from_lstm_and_gru_unless_its_profile_says_otherwise(name: str) -> None:
    assert name in shipped_profiles()
    assert load_profile(name).search.population == ("lstm", "gru")
    graphs = load_profile(name).population_in(PRESENT)
    assert {graph.id for graph in graphs.values()} == {LIBRARY[cell].graph.id for cell in ("lstm", "gru")}


def test_entries_are_names_in_any_spelling_families_formulas_and_own_cells() -> None:
    found = profile(f'["GRU", "ind-RNN", "family:single-gate", "mine", "{FORMULA}"]', f'[cells]\nmine = "{FORMULA}"')
    family = [cell.name for cell in FAMILIES["single_gate"]]
    assert len(family) > 5
    assert found.search.population == ("gru", "indrnn", *family, "mine", FORMULA)
    graphs = found.population_in(PRESENT)
    # The formula is the same cell as `mine`, whose name comes first.
    assert list(graphs) == ["gru", "indrnn", *(name for name in family if name not in ("gru", "indrnn")), "mine"]
    assert len({graph.id for graph in graphs.values()}) == len(graphs)
    assert graphs["gru"].id == LIBRARY["gru"].graph.id


@pytest.mark.parametrize("name", ["evening", "overnight", "discover"])
def test_a_long_search_starts_from_the_best_published_cells_by_family(name: str) -> None:
    population = load_profile(name).search.population
    assert population == ATLAS == profile('["Atlas"]').search.population
    assert len({LIBRARY[cell].graph.id for cell in population}) == 20
    families = [FAMILY_OF[cell] for cell in population]
    assert set(families[:8]) == set(families[8:16]) == set(FAMILIES)
    assert len(set(families[16:])) == 4


def test_a_stored_profile_has_the_population_written_out() -> None:
    found = profile(f'["family:gru", "{FORMULA}", "GRU"]')
    again = parse_profile(found.to_toml(), "the profile of a run", stored=True)
    assert again == found
    assert "family:" not in again.to_toml()
    assert again.search.population == (*(cell.name for cell in FAMILIES["gru"]), FORMULA)


def test_own_cells_belong_to_the_population_named_there_or_not() -> None:
    own = f'[cells]\nmine = "{FORMULA}"'
    assert list(profile('["gru"]', own).population_in(PRESENT)) == ["gru", "mine"]
    assert list(profile('["mine", "gru"]', own).population_in(PRESENT)) == ["mine", "gru"]
    assert list(profile("[]", own).population_in(PRESENT)) == ["mine"]


def test_cells_that_are_equal_are_one_member() -> None:
    twin = "h' = sigmoid(h) * tanh(linear(x) + linear(h))"
    assert len(profile(f'["{FORMULA}", "{twin}", "gru", "GRU"]').population_in(PRESENT)) == 2


def test_a_formula_may_have_several_lines() -> None:
    found = profile('["""\nc\' = tanh(linear(x) + c)\nh\' = sigmoid(linear(h)) * c\'\n"""]')
    (graph,) = found.population_in(PRESENT).values()
    assert graph.states == 2
    assert parse_profile(found.to_toml(), "again") == found


def test_the_population_of_an_earlier_store_has_the_form_of_its_cells() -> None:
    for version in FormVersion:
        graphs = profile('["lstm", "gru"]').population_in(version)
        assert {graph.form for graph in graphs.values()} == {version}


@pytest.mark.parametrize(
    ("population", "words"),
    [
        ("[]", "is empty; name at least one cell to start from"),
        ('["gry"]', "has 'gry', which is not the name of a cell"),
        ('["gry"]', "did you mean 'gru'?"),
        ('["zzzzzz"]', "`gatesearch cells` lists the named cells"),
        ('["family:grus"]', "has 'family:grus'; the families are plain, lstm, gru"),
        ('["h\' = tanh(linear(x)"]', "search.population has"),
        ('["h\' = tanh(linear(h))"]', "is no recurrent cell (ignores-input)"),
        ('["h\' = tanh(linear(x))"]', "is no recurrent cell (stateless)"),
        ('["h\' = y + h"]', "search.population has"),
        ("[3]", "search.population.0 is 3"),
        (str(["gru"] * (MAX_CELLS + 1)).replace("'", '"'), "at most 1000"),
    ],
)
def test_a_wrong_population_is_refused_in_one_line(population: str, words: str) -> None:
    with pytest.raises(SearchError) as error:
        profile(population)
    assert words in str(error.value)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 500


def test_the_population_keeps_to_the_limit_of_products_in_loops() -> None:
    limit = "[mutation]\nmax_loop_products = 0"
    assert profile('["sru", "indrnn"]', limit).mutation.max_loop_products == 0
    assert profile('["sru"]').mutation.max_loop_products is None
    assert profile('["gru"]', "[mutation]\nmax_loop_products = 3").mutation.max_loop_products == 3
    for population, more, words in (
        ('["sru", "gru"]', limit, "the initial population has 'gru' (matrix products in loops: 3), but"),
        ('["sru"]', f'{limit}\n[cells]\nmine = "{FORMULA}"', "'mine' (matrix products in loops: 1)"),
        ('["sru"]', f'[cells]\natlas = "{FORMULA}"', "cells has 'atlas', which stands for the best published cells"),
        (f'["{FORMULA}"]', limit, "mutation.max_loop_products is 0; name other cells in search.population"),
    ):
        with pytest.raises(SearchError) as error:
            profile(population, more)
        assert words in str(error.value)


def test_numbers_of_strategies_are_checked() -> None:
    for section, words in (
        ("[evolution]\npopulation = 5\ntournament = 6", "evolution.tournament is 6, but evolution.population is 5"),
        ("[evolution]\npopulation = 0", "evolution.population is 0"),
        ("[local]\nfailures = 0", "local.failures is 0"),
        ("[sample]\nmutations = 0", "sample.mutations is 0"),
        ("[mutation]\ncrossover = 1.5", "mutation.crossover is 1.5"),
        ("[mutation]\nadapt = 1", "mutation.adapt is 1"),
        ("[evolution]\nsize = 5", "'evolution.size' is not a field of a profile"),
    ):
        with pytest.raises(SearchError) as error:
            parse_profile(f"{section}\n{TASK}", "my.toml")
        assert words in str(error.value)
