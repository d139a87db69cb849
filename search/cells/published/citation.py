"""Citations of publications: in a few words, on one line, and as BibTeX."""

import re
from collections.abc import Iterable

from search.cells.published.entry import NamedCell, Reference

_SPECIAL = re.compile(r"[&%#_$]")


def short_citation(reference: Reference) -> str:
    """Return family names and year, such as "Cho et al. 2014" or "Balduzzi and Ghifary 2016"."""
    names = [_family_name(author) for author in reference.authors]
    who = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
    return f"{who} {reference.year}"


def full_citation(reference: Reference) -> str:
    """Return authors, year, title, venue and where to find the publication, on one line."""
    parts = [f"{', '.join(reference.authors)} ({reference.year})", reference.title, reference.venue]
    sentences = [part if part[-1] in ".?!" else f"{part}." for part in parts if part]
    return " ".join([*sentences, _place(reference)]).strip()


def address_of(reference: Reference) -> str:
    """Return the address of a publication: its arXiv page, its DOI, or its own address; empty if it has none."""
    if reference.arxiv:
        return f"https://arxiv.org/abs/{reference.arxiv}"
    return f"https://doi.org/{reference.doi}" if reference.doi else reference.url


def references_of(cells: Iterable[NamedCell]) -> list[Reference]:
    """Return the publications of cells and of their further names, each once, in order."""
    found: dict[Reference, None] = {}
    for cell in cells:
        found |= dict.fromkeys((cell.reference, *(shared.reference for shared in cell.same_as)))
    return list(found)


def bibtex_entry(reference: Reference) -> str:
    """Return a BibTeX entry.

    The title has double braces, so that no style changes its capitals. Letters beyond ASCII stay, which BibTeX
    processors read as UTF-8.
    """
    fields = {
        "title": f"{{{_escaped(reference.title)}}}",
        "author": " and ".join(map(_escaped, reference.authors)),
        "year": str(reference.year),
    }
    if reference.venue:
        fields["howpublished"] = _escaped(reference.venue)
    if reference.arxiv:
        fields |= {"eprint": reference.arxiv, "archiveprefix": "arXiv"}
    fields |= {name: value for name, value in (("doi", reference.doi), ("url", reference.url)) if value}
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@misc{{{reference.key},", *lines, "}"])


def _place(reference: Reference) -> str:
    if reference.arxiv:
        return f"arXiv {reference.arxiv}"
    return f"doi {reference.doi}" if reference.doi else reference.url


def _family_name(author: str) -> str:
    """Return the family name of "Given Family", with particles in lower case such as "van der"."""
    words = author.split()
    first = len(words) - 1
    while first > 1 and words[first - 1][0].islower():
        first -= 1
    return " ".join(words[first:])


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text)
