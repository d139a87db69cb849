"""`python -m tests.fuzz`: feed inputs to every surface, and say how many and what they broke.

    python -m tests.fuzz --inputs 100000 --seed 0            all surfaces, each its share
    python -m tests.fuzz --inputs 5000 --only mat-file
    python -m tests.fuzz --inputs 100000 --state state.json  goes on where it was interrupted, or where it crashed
    python -m tests.fuzz --replay mat-file:17 --seed 0       one input again, with what it does
    python -m tests.fuzz --again fuzz-failures/command-0-17  one that was kept (stores differ a little each time)

An input that breaks a rule is kept in a folder of its own, with what it did. Exit status: 1 if there is any.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.fuzz.harness import State, kept, run_surface, shares, surfaces
from tests.fuzz.rules import BrokenRuleError, feed
from tests.fuzz.surfaces import place


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", choices=list(surfaces()), help="these surfaces, not all")
    parser.add_argument("--state", type=Path, help="what is done is kept here")
    parser.add_argument("--failures", type=Path, default=Path("fuzz-failures"))
    parser.add_argument("--replay", metavar="SURFACE:K", help="this input alone")
    parser.add_argument("--again", metavar="FOLDER", type=Path, help="the kept input of this folder alone")
    given = parser.parse_args(arguments)
    failures = given.failures.resolve()
    state = State.read(given.state.resolve() if given.state else None, given.seed)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        folder = Path(scratch) / "work"
        if given.replay or given.again:
            if given.again:
                name, case = kept(given.again.resolve())
            else:
                name, _, number = given.replay.partition(":")
                case = surfaces()[name].draw(random.Random(f"{given.seed}/{name}/{number}"))
            surface = surfaces()[name]
            place(case, folder)
            print(str(case)[:2000])
            try:
                print("accepted" if feed(lambda: surface.use(case, folder), folder, surface.imports) else "refused")
            except BrokenRuleError:
                traceback.print_exc()
                return 1
            return 0
        for name, count in shares(given.inputs, given.only or list(surfaces())).items():
            started = time.monotonic()
            run_surface(surfaces()[name], count, state, folder, failures)
            done = state.done[name]
            print(
                f"{name:14} {done['inputs']:8,} inputs {done['accepted']:8,} accepted {done['broken']:4} broken "
                f"{done['seconds']:7.1f} s (now {time.monotonic() - started:.1f} s)",
                flush=True,
            )
    total = sum(done["inputs"] for done in state.done.values())
    broken = sum(done["broken"] for done in state.done.values())
    print(f"{total:,} inputs, {broken} broke a rule" + (f"; see {failures}" if broken else ""))
    print(json.dumps({name: done["inputs"] for name, done in state.done.items()}))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
