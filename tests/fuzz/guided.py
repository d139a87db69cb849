"""`python -m tests.fuzz.guided SURFACE --seconds 60`: inputs that the code's own branches lead to (atheris, libFuzzer).

For surfaces whose input is one text or one file. It begins with inputs as `python -m tests.fuzz` draws them. An input
that breaks a rule ends it, and is left as a file `crash-...` where it was started. Needs `pip install -e '.[fuzz]'`.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["search.cells", "search.profiles", "tasks", "results.store.toml"]):
    from tests.fuzz.rules import feed
    from tests.fuzz.surfaces import SURFACES, Case, place

TEXTS = ("formula", "recipe", "profile")
FILES = {"mat-file": "a.mat", "midi": "a.mid", "cell-file": "a.cell", "profile-file": "p.toml"}
DRAWN = 300


def case_of(name: str, data: bytes) -> Case:
    """The input of a surface that these bytes are."""
    if name in FILES:
        return Case({FILES[name]: data})
    return Case(texts=(data.decode("utf-8", "surrogateescape"),))


def bytes_of(case: Case) -> bytes:
    """The other way."""
    return next(iter(case.files.values()), b"") if case.files else case.texts[0].encode("utf-8", "surrogatepass")


def main() -> None:
    """Fuzz one surface for a while."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided")
    parser.add_argument("surface", choices=[*TEXTS, *FILES])
    parser.add_argument("--seconds", type=int, default=60)
    given = parser.parse_args()
    surface, here = SURFACES[given.surface], os.getcwd()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        folder, corpus = Path(scratch) / "work", Path(scratch) / "corpus"
        corpus.mkdir()
        for number in range(DRAWN):
            data = bytes_of(surface.draw(random.Random(f"guided {number}")))
            (corpus / str(number)).write_bytes(data[:4096])

        def one(data: bytes) -> None:
            case = case_of(given.surface, data)
            place(case, folder)
            feed(lambda: surface.use(case, folder), folder)

        options = [f"-max_total_time={given.seconds}", "-max_len=4096", "-timeout=30", f"-artifact_prefix={here}/"]
        atheris.Setup([sys.argv[0], *options, str(corpus)], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
