"""Inputs, drawn: valid ones changed a little, by what the grammar knows and by what it does not."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Literal

ODD_TEXTS = (
    *("", " ", "\t", "\n", "\r\n", "\r", "\0", "\ufeff", "\x0b", "\x0c", "\x1b[31m", "\x1b]0;t\x07", "\x85", "\u2028"),
    *(
        "\udc80",
        "\ud800",
        "\u202e",
        "\u200b",
        "\u00a0",
        "\ufb01",
        "\u210e",
        "\U0001d4bd",
        "\xaa",
        "\u017f",
        "é",
        "e\u0301",
        "細胞",
        "🧬",
        "\u2032",
        "\u2019",
        "\u02b9",
    ),
    *(
        "'",
        '"',
        '"""',
        "\\",
        "\\u0000",
        "#",
        ";",
        "//",
        "%",
        "%s",
        "{}",
        "{0.__class__}",
        "$(id)",
        "`id`",
        "|",
        "&",
        "~",
    ),
    *(
        "__import__('os').system('id')",
        "lambda: 0",
        "x.__class__",
        "h if h else x",
        "[h for h in x]",
        "(h := x)",
        "h ** x",
    ),
    *(
        "<script>alert(1)</script>",
        "[bold]",
        "[/]",
        "[link=file:///etc/passwd]",
        "=1+1",
        "@SUM(1)",
        "-1",
        "+1",
        "' OR 1=1 --",
    ),
    *(
        "../../etc/passwd",
        "/dev/zero",
        "/proc/self/mem",
        ".",
        "..",
        "/",
        "~root",
        "con",
        "nul",
        "aux",
        "C:\\x",
        "-",
        "--",
    ),
    *(
        "nan",
        "inf",
        "-inf",
        "NaN",
        "1e999",
        "-0",
        "0",
        "1",
        "9" * 5000,
        "0x" + "f" * 400,
        "1_0",
        "1e-400",
        "True",
        "None",
    ),
    *("A" * 300, "a" * 5000, "(" * 300, "[" * 3000, "{" * 300, "a." * 2000, "-" * 500, "'" * 400, "\n" * 2000),
)
ODD_NUMBERS: tuple[int | float, ...] = (
    *(
        0,
        1,
        -1,
        2,
        7,
        255,
        256,
        2**31 - 1,
        2**31,
        2**32,
        2**53,
        2**63 - 1,
        2**63,
        -(2**63),
        -(2**63) - 1,
        2**64,
        10**30,
    ),
    *(0.0, -0.0, 0.5, 1.5, 1e-320, 1e308, -1e308, 1e16, 0.1, float("inf"), float("-inf"), float("nan")),
)


def odd_text(rng: Random) -> str:
    """A text that something somewhere takes for something else."""
    kind = rng.random()
    if kind < 0.7:
        return rng.choice(ODD_TEXTS)
    if kind < 0.85:
        return "".join(
            chr(rng.choice((rng.randrange(128), rng.randrange(0x3000), rng.randrange(0x110000)))) for _ in range(8)
        )
    return rng.choice(ODD_TEXTS) * rng.choice((2, 3, 50))


def odd_value(rng: Random, depth: int = 0) -> Any:
    """A JSON-like value of any kind."""
    kind = rng.random()
    if depth > 3 or kind < 0.35:
        return rng.choice(ODD_NUMBERS)
    if kind < 0.65:
        return odd_text(rng)
    if kind < 0.75:
        return rng.choice((True, False, None))
    if kind < 0.88:
        return [odd_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {odd_text(rng): odd_value(rng, depth + 1) for _ in range(rng.randrange(3))}


def changed_text(rng: Random, text: str, words: Sequence[str], most: int = 4) -> str:
    """The text after some edits: parts left out, doubled, moved, and words of the grammar or odd ones put in."""
    for _ in range(min(most, 1 + int(rng.expovariate(1.0)))):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + int(rng.expovariate(0.2)))
        kind = rng.random()
        if kind < 0.2:
            text = text[:start] + text[end:]
        elif kind < 0.3:
            text = text[:end] + text[start:end] * rng.choice((1, 1, 2, 20)) + text[end:]
        elif kind < 0.65:
            text = text[:start] + rng.choice(words) + text[rng.choice((start, end)) :]
        elif kind < 0.8:
            text = text[:start] + odd_text(rng) + text[rng.choice((start, end)) :]
        elif kind < 0.9:
            other = rng.randrange(len(text) + 1)
            text = text[:start] + text[other : other + 20] + text[end:]
        else:
            lines = text.splitlines(keepends=True)
            rng.shuffle(lines)
            text = "".join(lines)
    return text


def changed_bytes(rng: Random, data: bytes, most: int = 4) -> bytes:
    """The bytes after some edits; lengths and counts are hit as often as anything else."""
    found = bytearray(data)
    for _ in range(min(most, 1 + int(rng.expovariate(1.0)))):
        start = rng.randrange(len(found) + 1)
        kind = rng.random()
        if kind < 0.35 and start < len(found):
            found[start] = rng.choice(
                (0, 1, 0x7F, 0x80, 0xFF, found[start] ^ 1 << rng.randrange(8), rng.randrange(256))
            )
        elif kind < 0.6:
            width = rng.choice((2, 4, 8))
            number = rng.choice((0, 1, 2**15, 2 ** (8 * width - 1), 2 ** (8 * width) - 1, rng.randrange(2**16)))
            order: Literal["big", "little"] = rng.choice(("big", "little"))
            found[start : start + width] = (number % 2 ** (8 * width)).to_bytes(width, order)
        elif kind < 0.7:
            del found[start:]
        elif kind < 0.8:
            del found[start : start + rng.randrange(1, 20)]
        elif kind < 0.9:
            found[start:start] = rng.randbytes(rng.randrange(1, 20))
        else:
            end = start + rng.randrange(1, 40)
            found[start:start] = found[start:end] * rng.choice((1, 2, 50))
    return bytes(found)


def changed_tree(rng: Random, tree: Any, most: int = 3) -> Any:
    """A tree of dicts and lists after some edits: other values, other names, parts gone, doubled or nested deep."""
    for _ in range(min(most, 1 + int(rng.expovariate(1.0)))):
        tree = _edited(rng, tree, rng.random())
    return tree


def _edited(rng: Random, tree: Any, kind: float) -> Any:
    if isinstance(tree, dict) and tree and rng.random() < 0.85:
        key = rng.choice(list(tree))
        if kind < 0.15 and rng.random() < 0.5:
            return {name: value for name, value in tree.items() if name != key}
        if kind < 0.25 and rng.random() < 0.5:
            return {(odd_text(rng) if name == key else name): value for name, value in tree.items()}
        if kind < 0.35 and rng.random() < 0.5:
            return tree | {rng.choice((odd_text(rng), key + "s", key[:-1])): odd_value(rng)}
        return tree | {key: _edited(rng, tree[key], kind)}
    if isinstance(tree, list) and tree and rng.random() < 0.7:
        place = rng.randrange(len(tree))
        if kind < 0.3:
            return tree[:place] + tree[place + 1 :]
        if kind < 0.5:
            return tree * rng.choice((2, 3, 200))
        return [*tree[:place], _edited(rng, tree[place], kind), *tree[place + 1 :]]
    if isinstance(tree, str) and rng.random() < 0.5:
        return changed_text(rng, tree, (" ", "'", "linear(x)", "_1", "."), 2)
    return odd_value(rng)
