"""Where input comes in: how one is drawn, and what is done with it."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import shutil
import tomllib
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, cast
from xml.etree import ElementTree

import numpy as np
import soundfile
import tomli_w
from scipy.io import savemat

from results.store.runs import open_run, run_folder
from search.cells.drawing.picture import draw_formula as svg_of
from search.cells.drawing.tikz import tikz
from search.cells.errors import CellError, RecipeError
from search.cells.export.equinox import export_equinox
from search.cells.export.module import export_module
from search.cells.files import cells_of_file, read_cell
from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.notation.formula import format_formula, parse_formula
from search.cells.notation.recipe import format_recipe, parse_recipe
from search.engine.cell_lookup import find_cell
from search.profiles.loading import load_profile, parse_profile
from tasks.audio.task import Audio
from tasks.classes import Classes
from tasks.language import Language
from tasks.midi import read_midi
from tasks.music import Music
from tasks.piano_rolls import roll_of
from tasks.registry import load_task, task_class
from tasks.task import Split, Task
from tests.fuzz.draws import changed_bytes, changed_text, changed_tree, odd_text, odd_value
from tests.fuzz.rules import BrokenRuleError, check_message


@dataclass(frozen=True)
class Case:
    """One input: files by name, and texts."""

    files: dict[str, bytes] = field(default_factory=dict)
    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Surface:
    """Where input comes in. `share` of all inputs go here; `use` raises what the program raises."""

    name: str
    share: float
    draw: Callable[[Random], Case]
    use: Callable[[Case, Path], object]
    imports: bool = False  # of modules that the input names


def demand(condition: object, what: str) -> None:
    """Raise `BrokenRuleError` unless it holds."""
    if not condition:
        raise BrokenRuleError(what)


def bytes_of(rng: Random, text: str) -> bytes:
    """A text as the bytes of a file, most often in UTF-8."""
    encoding = rng.choice(("utf-8",) * 8 + ("utf-8-sig", "utf-16", "utf-32", "latin-1"))
    return text.encode(encoding, "replace" if encoding == "latin-1" else "surrogatepass")


# --- Formulas and recipes -------------------------------------------------------------------------------------------

WORDS = (
    *("x", "h", "c", "h'", "c'", "z", "g1", "linear(", "sigmoid(", "tanh(", "relu(", "leaky_relu(", "sigm(", ")", "("),
    *(
        "+",
        "-",
        "*",
        "/",
        "**",
        "@",
        "=",
        "==",
        ":=",
        ",",
        "\n",
        ";",
        "#",
        "1 - ",
        "(1 - z)",
        "0.9",
        "bias=",
        "identity=",
    ),
    *(
        "bias=1",
        "-1",
        "1e3",
        "1001",
        "lambda",
        "if",
        "else",
        "for",
        "in",
        "await",
        "yield",
        "not",
        "and",
        "[0]",
        ".x",
        "*x",
    ),
    *(
        "linear(x)",
        "linear(h)",
        "h' = tanh(linear(x))\n",
        "\nc' = c",
        "f'{x}'",
        "'''",
        "\\\n",
        "1 - 1 - z",
        "1 - (1 - z)",
    ),
)
FORMULAS = tuple(cell.formula for cell in LIBRARY.values())


def large_formula(rng: Random) -> str:
    """One that is far too large, or just at a limit."""
    size = rng.choice((99, 101, 250, 1000, 5000, 40_000, 1_000_000))
    lines = rng.choice(("v{k} = v{j} + x", "v{k} = linear(v{j})", "v{k} = v{j} * v{j}"))
    return rng.choice(
        (
            "h' = " + " + ".join(["x"] * size),
            "h' = " + "tanh(" * size + "x" + ")" * size,
            "h' = " + "(" * size + "x" + ")" * size,
            "h' = " + "-" * size + "x",
            "h' = linear(x, " + "-" * size + "1)",
            "h' = " + "9" * size,
            "v0 = x\n" + "\n".join(lines.format(k=k, j=k - 1) for k in range(1, min(size, 20_000))) + "\nh' = v1",
            "h' = " + " + ".join(["linear(x)"] * min(size, 260)),
            "h' = linear(x)\n" + "\n".join(f"c{k}' = c{k} + h" for k in range(min(size, 300))),
            "h' = x." + "a." * size + "b",
            "h' = x" + "[x]" * size,
            "x" * size + "' = x",
        )
    )


def draw_formula(rng: Random) -> str:
    kind = rng.random()
    if kind < 0.02:
        return large_formula(rng)
    if kind < 0.1:
        return "".join(rng.choice(WORDS) for _ in range(rng.randrange(30)))
    if kind < 0.13:
        return odd_text(rng)
    if kind < 0.5:  # names in the places of others: most of these are cells
        lines = rng.choice(FORMULAS).splitlines()
        for _ in range(rng.randint(1, 6)):
            place = rng.randrange(len(lines))
            target, _, expression = lines[place].partition(" = ")
            known = [line.partition(" = ")[0] for line in lines[:place]] + ["x", "h", "tanh(x)", "linear(h)"]
            parts = re.split(r"(\b\w+'?(?!\w|\())", expression)  # names that are no functions are at odd places
            if len(parts) > 1:
                parts[rng.randrange(1, len(parts), 2)] = rng.choice(known)
            lines[place] = f"{target} = {''.join(parts)}"
        return "\n".join(lines)
    return changed_text(rng, rng.choice(FORMULAS), WORDS)


def check_graph(graph: GateGraph) -> None:
    """That a cell which was accepted is one: it prints, and reads back as itself."""
    canonical = graph.canonical()
    again = parse_formula(format_formula(canonical)).canonical()
    demand(again.id == canonical.id, f"{format_formula(canonical)!r} reads back as another cell")


def use_formula(case: Case, folder: Path) -> None:
    check_graph(parse_formula(case.texts[0]))


def draw_recipe(rng: Random) -> str:
    recipe = json.loads(format_recipe(LIBRARY[rng.choice(("gru", "lstm", "tanh", "mut1"))].graph))
    kind = rng.random()
    if kind < 0.02:
        size = rng.choice((300, 5000, 60_000))
        return rng.choice(
            (
                '{"h_new_0": {"op": "linear", "input": [' + ", ".join(['"x"'] * size) + "]}}",
                "{" + ", ".join(f'"h_new_{k}": {{"op": "linear", "input": ["x"]}}' for k in range(size)) + "}",
                "[" * size + "]" * size,
                '{"a":' * size + "1" + "}" * size,
            )
        )
    if kind < 0.4:  # names in the places of others: many of these are cells
        names = [*recipe, "x", "h_prev_0", "h_prev_1"]
        for _ in range(rng.randint(1, 4)):
            node = rng.choice(list(recipe.values()))
            node["input"][rng.randrange(len(node["input"]))] = rng.choice(names)
        return json.dumps(recipe)
    tree = changed_tree(rng, recipe)
    text = json.dumps(tree, ensure_ascii=rng.random() < 0.5)
    if kind < 0.4:
        return changed_text(
            rng, text, ('"x"', '"h_prev_0"', '"h_prev_1"', '"h_new_0"', ",", ":", "[]", "{}", "1", "NaN")
        )
    return text


def draw_recipes(rng: Random) -> str:
    """Return a log, or a list or an object of recipes and logs, as they are published; some are changed."""
    values: list[str] = []
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        recipe = draw_recipe(rng)
        number = rng.choice(("7", "1000051", "-1", '"7"', "1e9", "true"))
        log = f'{{"recepie_id": {number}, "recepie": {json.dumps(recipe) if rng.random() < 0.8 else recipe}}}'
        values.append(log if rng.random() < 0.5 else recipe)
    names = ("gru", "mine", "recepie", "op", "", "1", odd_text(rng))
    kind = rng.random()
    if kind < 0.3:
        text = values[0] if values else "{}"
    elif kind < 0.7:
        text = f"[{', '.join(values)}]"
    else:
        text = f"{{{', '.join(f'{json.dumps(rng.choice(names))}: {value}' for value in values)}}}"
    if rng.random() < 0.3:
        return changed_text(rng, text, ('"recepie"', '"recepie_id"', "[", "]", "{", "}", ",", "NaN", "null"))
    return text


def use_recipe(case: Case, folder: Path) -> None:
    graph = parse_recipe(case.texts[0])
    check_graph(graph)
    demand(parse_recipe(format_recipe(graph)).canonical().id == graph.id, "the recipe reads back as another cell")


def draw_cell_file(rng: Random) -> Case:
    kind = rng.random()
    text = draw_recipe(rng) if kind < 0.2 else draw_recipes(rng) if kind < 0.5 else draw_formula(rng)
    data = bytes_of(rng, text)
    if rng.random() < 0.3:
        data = changed_bytes(rng, data)
    return Case({rng.choice(("a.cell", "a.json", "a", "a.txt")): data})


def use_cell_file(case: Case, folder: Path) -> None:
    (name,) = case.files
    cells = cells_of_file(folder / name)
    if len(cells) == 1 and "#" not in cells[0].name:
        check_graph(read_cell(folder / name))
        return
    refused = 0
    for cell in cells:
        try:
            graph = cell.read()[0]
        except CellError:
            refused += 1
            continue
        check_graph(graph)
        demand(read_cell(cell.name) == graph, f"{cell.name!r} is another cell by itself")
    if refused == len(cells):
        raise RecipeError("no cell in it can be read")


def draw_export(rng: Random) -> Case:
    """A cell with comments and names that somebody chose with care, and what else its module and its drawing say."""
    formula = draw_formula(rng) if rng.random() < 0.5 else rng.choice(FORMULAS)
    lines = formula.splitlines()
    for _ in range(rng.randrange(3)):
        lines.insert(rng.randrange(len(lines) + 1), "# " + (odd_text(rng) + rng.choice(ESCAPES)).replace("\n", " "))
    return Case(texts=("\n".join(lines), *(odd_text(rng) + rng.choice(ESCAPES) for _ in range(2))))


ESCAPES = ('"""', "\\", '\\"""', "\\N{BEL}", "\nimport os\n", "]]>", "-->", "&lt;<b>", "\u2028import os", "{1/0}", "")


def check_module(text: str, modules: set[str], kinds: tuple[type[ast.stmt], ...], heads: tuple[str, ...]) -> None:
    """Check that a module has only a docstring, imports of these modules, and statements of these kinds or heads."""
    tree = ast.parse(text)
    own = [s for s in tree.body if not isinstance(s, (ast.Expr, ast.ImportFrom, ast.Import, *kinds))]
    said = [ast.unparse(statement) for statement in own]
    demand(
        all(words.startswith(heads) for words in said) and len(said) <= len(heads), f"statements of the input: {said}"
    )
    demand(sum(isinstance(statement, ast.Expr) for statement in tree.body) == 1, "more than a docstring")
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    demand(imported <= modules, f"the module imports {imported}")


def use_export(case: Case, folder: Path) -> None:
    """What was chosen is text in what is made of it: in Python a docstring, in SVG the text of elements."""
    formula, label, origin = case.texts
    torch_text, jax_text = export_module(formula, label, (origin,)).text, export_equinox(formula, label, (origin,))
    check_module(torch_text, {"math", "torch"}, (ast.ClassDef,), ("if TYPE_CHECKING:", "States: TypeAlias = "))
    jax_modules = {"math", "equinox", "jax", "jax.numpy", "numpy"}
    check_module(jax_text, jax_modules, (ast.ClassDef, ast.FunctionDef), ())
    svg = svg_of(formula, label)
    demand(len(tikz(svg).splitlines()) == tikz(svg).count(";\n") + 3, "a line of the input's in TikZ")
    drawn = ElementTree.fromstring(svg)
    found = {element.tag.partition("}")[2] for element in drawn.iter()}
    demand(
        found <= {"svg", "title", "desc", "g", "path", "circle", "rect", "text", "style", "line", "polygon", "tspan"},
        f"{found}",
    )


# --- Profiles -------------------------------------------------------------------------------------------------------

TOML_WORDS = (
    *("[search]", "[tasks.a]", "[[tasks]]", "[tasks.xml.options]", "=", "true", "1979-05-27", "07:32:00", '"""', "'''"),
    *("{", "}", "[", "]", "1", "-1", "0.5", "nan", "inf", "1e400", "0b11", "99999999999999999999", "a.b.c = 1", "#"),
    *(
        "proposals",
        "window",
        "threshold = 2",
        'role = "check"',
        'task = "os:system"',
        "parameters = [1]",
        "\n",
        '"\\ud800"',
    ),
)


def draw_profile(rng: Random) -> str:
    kind = rng.random()
    if kind < 0.02:
        size = rng.choice((100, 1000, 10_000, 300_000))
        return rng.choice(
            (
                "a = " + "[" * size + "]" * size,
                "a = " + "{a = " * size + "1" + "}" * size,
                "\n".join(f"[tasks.t{k}]" for k in range(size)),
                ".".join(["a"] * size) + " = 1",
                "[" + ".".join(["a"] * size) + "]",
                "a = " + "9" * size,
                f"[tasks.a]\nparameters = [{', '.join(['1'] * size)}]",
                "[grid]\n" + "".join(f"{name} = [{', '.join(['1'] * size)}]\n" for name in ("scales", "layers")),
                'description = "' + "é" * size + '"',
                "\n".join(f'[cells]\nc{k} = "h\' = x"' for k in range(1))
                + "".join(f'\nd{k} = "h\' = tanh(linear(x))"' for k in range(min(size, 1000))),
            )
        )
    profile = tomllib.loads(load_profile(rng.choice(("quick", "evening", "overnight", "paper"))).to_toml())
    if kind < 0.4:
        profile["cells"] = {"mine": draw_formula(rng)}
    tree = changed_tree(rng, profile)
    try:
        text = tomli_w.dumps(tree)
    except (TypeError, AttributeError, ValueError, KeyError):  # what TOML cannot say
        text = tomli_w.dumps(profile)
        kind = 0.0
    return changed_text(rng, text, TOML_WORDS) if kind < 0.3 else text


def use_profile(case: Case, folder: Path) -> None:
    profile = parse_profile(case.texts[0], "the profile")
    again = parse_profile(profile.to_toml(), "the profile again")
    demand(again == profile, "the profile reads back as another one")
    demand(profile.ranked and all(len(profile.grid_of(section)) for section in profile.tasks.values()), "no settings")


def use_profile_file(case: Case, folder: Path) -> None:
    load_profile(str(folder / "p.toml"))


def draw_profile_file(rng: Random) -> Case:
    data = bytes_of(rng, draw_profile(rng))
    return Case({"p.toml": changed_bytes(rng, data) if rng.random() < 0.3 else data})


# --- Data of tasks --------------------------------------------------------------------------------------------------

TEXT = "the cat sat on the mat .\n the <unk> N dog 's bone , it is n't \n"


def draw_texts(rng: Random) -> Case:
    files: dict[str, bytes] = {}
    for word in ("train", "valid", "test"):
        text = TEXT * rng.choice((1, 2, 5))
        if rng.random() < 0.5:
            text = changed_text(rng, text, (" ", "\n", "\t", "<eos>", "<unk>", "N", "\u3000", "\x1c", "\x85", "a" * 60))
        data = bytes_of(rng, text)
        if rng.random() < 0.2:
            data = changed_bytes(rng, data)
        if rng.random() < 0.06:
            data = rng.choice((b"", b" ", b"\n\n", b"a", b"\xff\xfe", b"\0" * 50, b"ab " * 300_000, b"x" * 1_000_000))
        name = rng.choice(
            (f"ptb.{word}.txt",) * 12 + (f"{word}.txt", f"my.{word}.TXT", f"{word}.csv", f"ptb.{word}.txt/a")
        )
        files[name] = data
        if rng.random() < 0.03:
            files[f"{word}2.txt"] = data
    return Case(files)


def use_texts(case: Case, folder: Path) -> None:
    check_task(Language(data=str(folder)))


def check_task(task: Task) -> None:
    """That data which were accepted can be trained on."""
    demand(task.output_size >= 2, "fewer than two symbols")
    for stream in (task.training(2, 5, np.random.default_rng(0)), task.evaluation(Split.TEST, 2, 5)):
        window = next(stream)
        shape = window.loss_mask.shape
        demand(window.inputs.shape[:2] == shape == window.targets.shape[:2], "a window of other shapes")
        if window.inputs.ndim == 2:
            demand(window.inputs.min() >= 0 and window.inputs.max() < task.output_size, "a symbol that is none")
    demand(np.isfinite(task.constant_baseline()), "a guess that is no number")


def _mat(compressed: bool) -> bytes:
    cells = np.empty((1, 2), object)
    cells[0, 0], cells[0, 1] = np.eye(88, dtype=np.uint8)[:4], np.eye(88)[:3]
    file = io.BytesIO()
    savemat(cast(Any, file), {"traindata": cells, "validdata": cells, "testdata": cells}, do_compression=compressed)
    return file.getvalue()


MATS = (_mat(False), _mat(True))


def nested_cells(depth: int) -> bytes:
    """A .mat file with a cell in a cell in a cell ..., which is as deep as the file is long."""
    inner = bytes.fromhex(
        "0600000008000000060000000000000005000000080000000000000000000000010000000000000009000000000000 00"
    )
    for _ in range(depth):
        body = (
            bytes.fromhex("0600000008000000 0100000000000000 0500000008000000 0100000001000000 0100000000000000")
            + inner
        )
        inner = (14).to_bytes(4, "little") + len(body).to_bytes(4, "little") + body
    name = b"traindata"
    body = bytes.fromhex("0600000008000000 0100000000000000 0500000008000000 0100000001000000")
    body += (1).to_bytes(4, "little") + len(name).to_bytes(4, "little") + name.ljust(16, b"\0") + inner
    return MATS[0][:128] + (14).to_bytes(4, "little") + len(body).to_bytes(4, "little") + body


def draw_mat(rng: Random) -> Case:
    kind = rng.random()
    plain, packed = MATS
    if kind < 0.01:
        data = nested_cells(rng.choice((10, 100, 1000)))
    elif kind < 0.15:
        data = changed_bytes(rng, packed)
    elif kind < 0.4:  # damage that the checksum of the compression does not see
        inside = changed_bytes(rng, plain[128:])
        data = plain[:128] + _compressed(inside)
    elif kind < 0.5:
        value: dict[str, object] = {name: _odd_array(rng) for name in ("traindata", "validdata", "testdata")}
        if rng.random() < 0.3:
            value.popitem()
        file = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            savemat(cast(Any, file), value, do_compression=rng.random() < 0.5)
        data = file.getvalue()
    else:
        data = changed_bytes(rng, plain, 6)
    return Case({rng.choice(("a.mat", "a.mat", "a.MAT", "a.bin")): data})


def _compressed(body: bytes) -> bytes:
    inside = zlib.compress(body)
    return (15).to_bytes(4, "little") + len(inside).to_bytes(4, "little") + inside


def _odd_array(rng: Random) -> object:
    shape = rng.choice(((0, 88), (3, 88), (88, 3), (1, 88), (2, 87), (3, 88, 1), (0,), (200_000, 1)))
    kind = rng.choice((np.uint8, np.int64, np.float64, np.complex128, np.bool_))
    array = np.full(shape, rng.choice((0, 1, 1, 2, 255)), kind)
    if rng.random() < 0.3:
        return rng.choice((array, "text", 3, {"a": array}, [[array, array]]))
    cells = np.empty((1, rng.choice((0, 1, 2))), object)
    cells[...] = [[array] * cells.shape[1]] if cells.shape[1] != 1 else None
    if cells.shape[1] == 1:
        cells[0, 0] = rng.choice((array, "text", np.array([["x" * 88]]), {"a": 1}))
    return cells


def use_mat(case: Case, folder: Path) -> None:
    (name,) = case.files
    check_task(Music(data=str(folder / name)))


def _midi(rng: Random) -> bytes:
    track = bytearray()
    for _ in range(rng.randrange(1, 12)):
        pitch = rng.choice((60, 64, 67, 21, 108, 20, 109, 0, 127))
        track += bytes((0, 0x90, pitch, 100, rng.choice((4, 8, 1)), 0x80, pitch, 0))
    track += b"\0\xff\x2f\0"
    return b"MThd\0\0\0\6\0\0\0\1\0\4MTrk" + len(track).to_bytes(4, "big") + bytes(track)


def draw_midi(rng: Random) -> Case:
    data = _midi(rng)
    kind = rng.random()
    if kind < 0.1:  # a length of the largest kind, or a piece without end
        delta = rng.choice((b"\xff\xff\xff\x7f", b"\x8f\xff\xff\x7f", b"\x81\x80\x00", b"\xff\xff\xff\xff\x7f"))
        place = data.index(b"\0\x90")
        data = (
            data[:place] + delta + data[place + 1 :] if rng.random() < 0.5 else data.replace(b"\4\x80", delta + b"\x80")
        )
    elif kind < 0.15:
        notes = bytes((0, 0x90, 60, 100)) + bytes((1, 61, 1, 0, 61, 0)) * rng.choice((10, 100, 1000, 100_000))
        data = b"MThd\0\0\0\6\0\0\0\1\0\4MTrk" + len(notes).to_bytes(4, "big") + notes
    elif kind < 0.9:
        data = changed_bytes(rng, data, 5)
    else:
        data = rng.randbytes(rng.randrange(200))
    return Case({"a.mid": data})


def use_midi(case: Case, folder: Path) -> None:
    roll = roll_of(read_midi(case.files["a.mid"], "a.mid").notes, "a.mid")
    demand(roll.ndim == 2 and roll.shape[1] == 88 and len(roll) and roll.any(), "a roll that is none")


def draw_midi_folder(rng: Random) -> Case:
    files = {f"{part}/a.mid": _midi(rng) for part in ("train", "valid", "test")}
    name = rng.choice(list(files))
    files[name] = draw_midi(rng).files["a.mid"]
    if rng.random() < 0.1:
        files[rng.choice(("train/é\n.mid", "b.mid", "valid/x.MIDI", "test/c.mat", "d.mat"))] = files[name]
    return Case(files)


def use_folder(case: Case, folder: Path) -> None:
    check_task(Music(data=str(folder)))


SEQUENCES = {
    "a.ts": "#c\n@problemName a\n@timeStamps false\n@dimensions 2\n@classLabel true l r\n@data\n"
    + "".join(f"{k},2,?:{k},3,4:{'lr'[k % 2]}\n" for k in range(12)),
    "a.arff": "% c\n@relation a\n@attribute a relational\n@attribute t0 numeric\n@attribute t1 numeric\n@end a\n"
    "@attribute c {l,'r r'}\n@data\n" + "".join(f"'{k},2\\n3,?',{('l', repr('r r'))[k % 2]}\n" for k in range(12)),
    "b.arff": "@relation a\n@attribute t0 numeric\n@attribute t1 real\n@attribute c {l,r}\n@data\n"
    + "".join(f"{k},?,{'lr'[k % 2]}\n" for k in range(12)),
    "a.csv": "id,time,x,y,label\n" + "".join(f"{k // 2},{k},{k % 7},,{'lr'[k // 2 % 2]}\n" for k in range(24)),
}
"""A small file of each kind of labelled sequences."""


def draw_sequences(rng: Random) -> Case:
    name = rng.choice(list(SEQUENCES))
    words = (
        ":",
        ",",
        "?",
        "nan",
        "inf",
        "-1e30",
        "1e31",
        "1_0",
        "@data",
        "@end",
        "\n",
        "l",
        "r",
        "'",
        '"',
        "{",
        "true",
        "%",
        "0",
    )
    text = changed_text(rng, SEQUENCES[name], words) if rng.random() < 0.8 else SEQUENCES[name]
    data = bytes_of(rng, text)
    if rng.random() < 0.2:
        data = changed_bytes(rng, data)
    kind = name[1:]
    files = {rng.choice((name, name, f"A_TRAIN{kind}", f"train{kind}", f"x{kind}.gz")): data}
    if rng.random() < 0.3:
        files[rng.choice((f"A_TEST{kind}", f"test{kind}", "._A_TEST.ts", f"b{kind}"))] = SEQUENCES[name].encode()
    return Case(files)


def use_sequences(case: Case, folder: Path) -> None:
    check_task(Classes(data=str(folder), missing="forward"))
    check_task(Classes(data=str(folder / next(iter(case.files))), missing="mean"))


def _sound(rng: Random) -> bytes:
    """A short sound as the bytes of a WAV or FLAC file."""
    file = io.BytesIO()
    samples = np.random.default_rng(rng.randrange(1000)).uniform(-1, 1, (rng.randrange(1, 400), rng.randint(1, 3)))
    kind = rng.choice((("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "ULAW"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24")))
    soundfile.write(file, samples, rng.choice((4000, 8000, 11_025, 48_000)), format=kind[0], subtype=kind[1])
    return file.getvalue()


def draw_sounds(rng: Random) -> Case:
    names = rng.choice((("a.wav",), ("a/1.wav", "a/2.WAV", "a/3.flac", "b/4.wav", "b/5.wav", "b/6.flac")))
    files = {name: _sound(rng) for name in names}
    name = rng.choice(names)
    files[name] = changed_bytes(rng, files[name], 5) if rng.random() < 0.8 else rng.randbytes(rng.randrange(200))
    return Case(files)


def use_sounds(case: Case, folder: Path) -> None:
    check_task(Audio(data=str(folder)))
    if len(case.files) > 1:
        check_task(Audio(data=str(folder), features="log-mel", bands=10))


# --- Names ----------------------------------------------------------------------------------------------------------

NAMES = ("quick-1", "kept", "../kept", "a/b", "0123abcd", "gru", "lstm-b", "my.cell", "results/runs/x", "x.json", "a b")


def draw_name(rng: Random) -> Case:
    kind = rng.random()
    if kind < 0.3:
        return Case(texts=(odd_text(rng),))
    if kind < 0.4:
        return Case(texts=("".join(rng.choice("0123456789abcdefABCDEFg") for _ in range(rng.randrange(40))),))
    return Case(
        texts=(changed_text(rng, rng.choice(NAMES), ("/", "..", ".", "-", "_", " ", "n" * 300, "%", "*", "?")),)
    )


def use_name(case: Case, folder: Path) -> None:
    """Each of the things that a name may be, one after the other; the error of the last is the one that counts."""
    (name,) = case.texts
    for use in (run_folder, open_run, find_cell, lambda text: find_cell(text, "kept"), load_profile):
        try:
            use(name)
        except ValueError as error:
            check_message(str(error))
            last = error
        else:
            continue
    raise last if "last" in locals() else BrokenRuleError("a name that is everything")


IMPORTABLE = (
    "tasks.xml:Xml",
    "tasks.arithmetic:Arithmetic",
    "tasks.task:Task",
    "json:loads",
    "tasks.generated:GeneratedTask",
)


def draw_task(rng: Random) -> Case:
    """A task's name or import path, and parameters. Modules that exist are harmless ones."""
    kind = rng.random()
    if kind < 0.4:
        path = changed_text(
            rng, rng.choice(IMPORTABLE), (":", ".", "Xml", "tasks", "name", "__class__", "output_size"), 2
        )
    elif kind < 0.6:
        path = odd_text(rng) + rng.choice(("", ":", ":X", ".a:B"))
    else:
        path = rng.choice(("xml", "arithmetic", "memorization", "xm", *IMPORTABLE))
    names = (
        "min_letters",
        "max_letters",
        "digits",
        "length",
        "validation",
        "test",
        "symbols",
        "version",
        "name",
        odd_text(rng),
    )
    given = {rng.choice(names): odd_value(rng, 4) for _ in range(rng.randrange(3))}
    return Case(texts=(path, json.dumps(given)))


def use_task(case: Case, folder: Path) -> None:
    path, given = case.texts
    kind = task_class(path)
    demand(isinstance(kind.name, str), "a task without a name")
    options = json.loads(given)
    # Sizes are the user's to choose, up to the limits that the tasks have; here, small ones.
    large = [name for name in ("validation", "test") if isinstance(options.get(name), int) and options[name] > 2000]
    check_task(load_task(path, **(options | dict.fromkeys(large, 100))))


SURFACES: dict[str, Surface] = {
    surface.name: surface
    for surface in (
        Surface("formula", 0.3, lambda rng: Case(texts=(draw_formula(rng),)), use_formula),
        Surface("recipe", 0.12, lambda rng: Case(texts=(draw_recipe(rng),)), use_recipe),
        Surface("cell-file", 0.08, draw_cell_file, use_cell_file),
        Surface("export", 0.04, draw_export, use_export),
        Surface("profile", 0.1, lambda rng: Case(texts=(draw_profile(rng),)), use_profile),
        Surface("profile-file", 0.04, draw_profile_file, use_profile_file),
        Surface("text-folder", 0.04, draw_texts, use_texts),
        Surface("mat-file", 0.06, draw_mat, use_mat),
        Surface("midi", 0.1, draw_midi, use_midi),
        Surface("midi-folder", 0.02, draw_midi_folder, use_folder),
        Surface("sequences", 0.05, draw_sequences, use_sequences),
        Surface("sound", 0.03, draw_sounds, use_sounds),
        Surface("name", 0.05, draw_name, use_name),
        Surface("task", 0.03, draw_task, use_task, imports=True),
    )
}


def place(case: Case, folder: Path) -> None:
    """Put the files of a case into an empty folder, and go there."""
    if case.files or not folder.is_dir() or any(folder.iterdir()):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for name, data in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    os.environ |= {"GATESEARCH_TRACEBACK": "1", "COLUMNS": "100"}
    os.environ["GATESEARCH_CACHE"] = str(folder / "cache")
    os.environ["GATESEARCH_RUNS"] = str(folder / "runs")
    os.chdir(folder)
