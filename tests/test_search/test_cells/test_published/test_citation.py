"""Citations of the library's publications, and their BibTeX entries."""

from __future__ import annotations

import re

import pytest

from search.cells.library import LIBRARY
from search.cells.published.citation import bibtex_entry, full_citation, references_of, short_citation
from search.cells.published.entry import NamedCell, Reference, SharedName

ODD = Reference(
    key="odd2020",
    authors=("Jos van der Westhuizen", "Jürgen Schmidhuber"),
    title="Gates & 50% of_them {really}",
    year=2020,
    doi="10.1162/089976600300015015",
    venue="Journal #1",
)


def fields_of(entry: str) -> dict[str, str]:
    """Return the fields of a BibTeX entry, braces matched by a count; written for this test."""
    head, body = re.fullmatch(r"@misc\{([\w-]+),\n(.*)\}", entry, re.DOTALL).groups()  # type: ignore[union-attr]
    found = {"key": head}
    place = 0
    while match := re.compile(r"\s*(\w+) = \{").match(body, place):
        depth, end = 1, match.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(body[end], 0)
            end += 1
        found[match[1]] = body[match.end() : end - 1]
        assert body[end] == ","
        place = end + 1
    assert not body[place:].strip()
    return found


def test_a_citation_has_family_names_with_their_particles_and_the_year() -> None:
    assert short_citation(ODD) == "van der Westhuizen and Schmidhuber 2020"
    assert short_citation(LIBRARY["gru"].reference) == "Cho et al. 2014"
    assert short_citation(Reference("elman1990", ("Jeffrey L. Elman",), "", 1990)) == "Elman 1990"
    assert full_citation(ODD) == (
        "Jos van der Westhuizen, Jürgen Schmidhuber (2020). Gates & 50% of_them {really}. Journal #1. "
        "doi 10.1162/089976600300015015"
    )
    assert full_citation(LIBRARY["gru"].reference).endswith("Machine Translation. arXiv 1406.1078")


def test_an_entry_of_bibtex_has_the_fields_of_the_publication() -> None:
    assert fields_of(bibtex_entry(ODD)) == {
        "key": "odd2020",
        "title": r"{Gates \& 50\% of\_them {really}}",
        "author": "Jos van der Westhuizen and Jürgen Schmidhuber",
        "year": "2020",
        "howpublished": r"Journal \#1",
        "doi": "10.1162/089976600300015015",
    }
    gru = fields_of(bibtex_entry(LIBRARY["gru"].reference))
    assert (gru["eprint"], gru["archiveprefix"]) == ("1406.1078", "arXiv")
    assert len(gru["author"].split(" and ")) == 7


@pytest.mark.parametrize("name", LIBRARY)
def test_every_publication_of_the_library_can_be_cited(name: str) -> None:
    cell = LIBRARY[name]
    for reference in references_of([cell]):
        fields = fields_of(bibtex_entry(reference))
        assert fields["key"] == reference.key
        assert fields["title"].startswith("{")
        assert {"eprint", "doi", "url", "howpublished"} & set(fields), f"{reference.key} says not where it is"
        assert short_citation(reference).endswith(str(reference.year))
        assert str(reference.year) in full_citation(reference)


def test_publications_are_listed_once_with_those_of_further_names() -> None:
    shared = SharedName("other", ODD)
    cells = [NamedCell("a", "", "", "", LIBRARY["gru"].reference, same_as=(shared,)), LIBRARY["gru"]]
    assert references_of(cells) == [LIBRARY["gru"].reference, ODD]


def test_one_key_is_one_publication() -> None:
    references = references_of(LIBRARY.values())
    keys = [reference.key for reference in references]
    twice = {key for key in keys if keys.count(key) > 1}
    assert not twice, [reference for reference in references if reference.key in twice]
