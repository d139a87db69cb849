from tests.fuzz.surfaces import Surface

COMMANDS: dict[str, Surface] = {}
