"""Ends of the notes of a MIDI file, where a channel has messages in several tracks.

A player merges the tracks and lets a release or "all notes off" end what sounds on its channel, whichever track it is
in; readers such as pretty_midi and music21 pair a track's own messages. Here, notes end with the release of their own
track, so that two voices of one channel stay apart. Messages of other tracks end those that have none.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from enum import Enum, auto
from typing import NamedTuple

Channel = tuple[int, int]  # port and channel


class End(Enum):
    """Cause of the end of a note."""

    RELEASE = auto()  # of its own track
    STRUCK = auto()  # the same key, struck again in its track before a release
    TRACK = auto()  # nothing but the end of its track
    ELSEWHERE = auto()  # a release in another track, or "all notes off"


class Struck(NamedTuple):
    """Note with its times in ticks."""

    channel: Channel
    pitch: int
    begin: int
    until: int
    end: End


class Release(NamedTuple):
    """Message that ends notes of a channel: those of a pitch, or all of them (None)."""

    channel: Channel
    pitch: int | None
    ticks: int


def ended(notes: Iterable[Struck], releases: Iterable[Release]) -> list[Struck]:
    """Return notes with the ends that players give them.

    Args:
        notes: notes of all tracks, as their own tracks end them.
        releases: of all tracks, those of a pitch that did not sound there, and "all notes off".
    """
    times: dict[tuple[Channel, int | None], list[int]] = {}
    for release in sorted(releases, key=lambda release: release.ticks):
        times.setdefault((release.channel, release.pitch), []).append(release.ticks)
    found = []
    for note in notes:
        last = math.inf if note.end is End.TRACK else note.until  # another track may go on after the end of this one
        earlier = []
        for pitch in (None,) if note.end is End.RELEASE else (None, note.pitch):
            own = times.get((note.channel, pitch), [])
            place = bisect_right(own, note.begin)
            earlier += [ticks for ticks in own[place : place + 1] if ticks < last]
        found.append(note._replace(until=min(earlier), end=End.ELSEWHERE) if earlier else note)
    return found
