"""Short texts about cells in tables and messages: names of states, numbers, quoted user input."""


def state_name(state: int) -> str:
    """Return the default name of a state: h, c, c2, c3, ... for states 0, 1, 2, 3, ..."""
    return "h" if state == 0 else "c" if state == 1 else f"c{state}"


def number_text(number: float) -> str:
    """Return the shortest text of a number that is read back as the same number."""
    return str(int(number)) if float(number).is_integer() else repr(float(number))


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number of things in words: 1 row, 2,000 rows; `plural` where it is not the noun and an s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def shorten(text: str, limit: int = 100) -> str:
    """Return the text, cut to `limit` characters that end in three dots if it is longer."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def quoted(text: str, limit: int = 100) -> str:
    """Return a user's text for a one-line message: shortened to `limit` characters, quoted, line ends escaped."""
    return repr(shorten(text, limit))
