"""Reader of notes in standard MIDI files, as tolerant as players are.

Source: MIDI Manufacturers Association, "Standard MIDI Files 1.0" (RP-001). Files in circulation break some of its
rules, and players accept them: running status continues after meta events, tracks hold clock bytes, lengths are off,
and other bytes stand before the header or behind the last track. Such files are read, too. A file that ends within a
track is refused, since its notes are incomplete.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tasks.errors import TaskError
from tasks.midi_ends import Channel, End, Release, Struck, ended
from tasks.piano_rolls import Note

_PERCUSSION = 9  # channel of percussion, counted from 0; its note numbers are not pitches
_NOTE_OFF, _NOTE_ON, _SYSTEM, _REAL_TIME = 0x80, 0x90, 0xF0, 0xF8
_META, _EXCLUSIVE, _END_OF_TRACK, _PORT = 0xFF, (0xF0, 0xF7), 0x2F, 0x21
_CONTROL, _ALL_OFF = 0xB0, (120, *range(123, 128))  # all sound off, all notes off, and modes that imply it (MIDI 1.0)
_DATA_BYTES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}  # by kind of channel message
_SYSTEM_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # data bytes of system messages; the others have none
_WRAPPED = 256  # bytes before the header in a RIFF file (20) or with MacBinary's header (128)
_TRACK, _HEADER = b"MTrk", b"MThd"


class MidiNotes(NamedTuple):
    """Notes of a MIDI file.

    Attributes:
        notes: the notes of all tracks and channels but percussion; times are in quarter notes.
        percussion: number of percussion notes.
        mended: whether a length or the number of tracks in the file is wrong.
        elsewhere: number of notes that a release in another track ended, or "all notes off".
        open: number of notes that nothing ended but the end of their track.
    """

    notes: list[Note]
    percussion: int
    mended: bool
    elsewhere: int = 0
    open: int = 0


class _Message(NamedTuple):
    """Channel message, with its time in ticks from the beginning; kind 0 marks the end of a track."""

    ticks: int
    kind: int
    channel: Channel
    data: bytes
    place: int  # position of the byte after it


class _Track(NamedTuple):
    notes: list[Struck]
    releases: list[Release]  # that ended nothing in this track
    percussion: int
    end: int  # position of the byte after the last message


def read_midi(data: bytes, source: str) -> MidiNotes:
    """Return the notes of a MIDI file (format 0 or 1).

    A note that is struck again before its release ends there; one that is never released ends with its track, unless
    another track ends it (`tasks.midi_ends`). Tempo is ignored. Running status is that of the last channel message,
    whatever comes in between.

    Args:
        data: content of the file.
        source: name of the file, for messages.

    Raises:
        TaskError: the data are not such a MIDI file, or are damaged.
    """
    try:
        return _file(data)
    except (IndexError, ValueError) as error:
        what = str(error) if isinstance(error, ValueError) else "it ends too early"
        raise TaskError(f"{source} is not a readable MIDI file ({what}); leave it out") from error


def _file(data: bytes) -> MidiNotes:
    if not data:
        raise ValueError("it is empty")
    begin = data.find(_HEADER, 0, _WRAPPED)
    if begin < 0 or len(data) < begin + 14:
        raise ValueError("it does not begin with MThd")
    length, form, tracks, division = (
        int.from_bytes(data[begin + first : begin + last], "big")
        for first, last in ((4, 8), (8, 10), (10, 12), (12, 14))
    )
    if form > 1:
        raise ValueError(f"its format is {form}; only 0 and 1 are supported")
    if division == 0 or division & 0x8000:
        raise ValueError("its times are not in quarter notes")
    found: list[_Track] = []
    place = begin + 8 + length
    mended = length < 6 or (place != len(data) and not _is_chunk(data, place))
    if mended:
        place = _next_track(data, begin + 14)
    while place + 8 <= len(data) and (name := data[place : place + 4]) != _HEADER:
        end = place + 8 + int.from_bytes(data[place + 4 : place + 8], "big")
        if name == _TRACK:
            try:
                track = _track(data, place + 8, end)
            except (IndexError, ValueError):
                if len(found) < tracks:
                    raise
                break  # bytes behind the last track
            found.append(track)
            if not _fits(data, end, track.end):
                mended = mended or len(found) < tracks or end != track.end
                end = _next_track(data, track.end)
        elif not _is_chunk(data, place):
            break
        place = end
    notes = ended(
        [note for track in found for note in track.notes], [each for track in found for each in track.releases]
    )
    ends = [note.end for note in notes]
    return MidiNotes(
        [Note(note.pitch, note.begin / division, note.until / division) for note in notes],
        sum(track.percussion for track in found),
        mended or len(found) != tracks,
        ends.count(End.ELSEWHERE),
        ends.count(End.TRACK),
    )


def _is_chunk(data: bytes, place: int) -> bool:
    """Return whether a track begins at a position, or another chunk that ends within the data."""
    name, size = data[place : place + 4], data[place + 4 : place + 8]
    known = name in (_TRACK, _HEADER)
    return len(size) == 4 and (known or (name.isalnum() and place + 8 + int.from_bytes(size, "big") <= len(data)))


def _fits(data: bytes, declared: int, end: int) -> bool:
    """Return whether the declared end of a track is possible, given the end of its messages."""
    if declared != end and data[end : end + 4] == _TRACK:
        return False
    return declared >= end and (declared == len(data) or _is_chunk(data, declared))


def _next_track(data: bytes, place: int) -> int:
    """Return the position of the next track, or that of the end of the data."""
    found = data.find(_TRACK, place)
    return len(data) if found < 0 else found


def _track(data: bytes, begin: int, declared: int) -> _Track:
    """Read a track to its end mark, wherever its chunk is declared to end.

    Without the mark, it ends at the declared end.
    """
    stops = declared == len(data) or _is_chunk(data, declared)
    try:
        return _track_to(data, begin, declared if stops else len(data) + 1)
    except (IndexError, ValueError) as error:
        if declared > len(data):
            raise ValueError("it ends too early") from error
        if stops:
            raise
        return _track_to(data, begin, declared)


def _track_to(data: bytes, begin: int, end: int) -> _Track:
    notes: list[Struck] = []
    releases: list[Release] = []
    sounding: dict[tuple[Channel, int], int] = {}
    percussion, last = 0, None
    for last in _messages(data, begin, end):
        ticks, kind, channel, values, _ = last
        if channel[1] == _PERCUSSION:
            percussion += kind == _NOTE_ON and values[1] > 0
        elif kind == _CONTROL and values[0] in _ALL_OFF:
            releases.append(Release(channel, None, ticks))
        elif kind in (_NOTE_ON, _NOTE_OFF):
            pitch, strikes = values[0], kind == _NOTE_ON and values[1] > 0
            struck = sounding.pop((channel, pitch), None)
            if struck is not None:
                notes.append(Struck(channel, pitch, struck, ticks, End.STRUCK if strikes else End.RELEASE))
            elif not strikes:
                releases.append(Release(channel, pitch, ticks))
            if strikes:
                sounding[channel, pitch] = ticks
    assert last is not None
    notes += [Struck(channel, pitch, struck, last.ticks, End.TRACK) for (channel, pitch), struck in sounding.items()]
    return _Track(notes, releases, percussion, last.place)


def _messages(data: bytes, place: int, end: int) -> Iterator[_Message]:
    """Yield the channel messages of a track; the last one has kind 0 and marks the end.

    Raises:
        IndexError: the data end before an end mark and before `end`.
        ValueError: a message is damaged.
    """
    ticks, running, port = 0, 0, 0
    while place != end:
        delta, place = _number(data, place)
        ticks += delta
        status = data[place]
        place += status >> 7
        if status < 0x80:
            status = running
        if status == _META:
            kind = data[place]
            if kind == _END_OF_TRACK:
                place = min(place + 2, len(data))
                break
            length, place = _number(data, place + 1)
            if kind == _PORT and length == 1:
                port = data[place]
            place += length
        elif status in _EXCLUSIVE:
            length, place = _number(data, place)
            place += length
        elif status > _SYSTEM:
            place += _SYSTEM_BYTES.get(status, 0)
        elif status >= _NOTE_OFF:
            running = status
            values, place = _values(data, place, _DATA_BYTES[status & 0xF0])
            yield _Message(ticks, status & 0xF0, (port, status & 0x0F), values, place)
        else:
            raise ValueError(f"a message has the unknown kind {status}")
        if place > min(end, len(data)):
            raise IndexError
    yield _Message(ticks, 0, (port, 0), b"", place)


def _values(data: bytes, place: int, count: int) -> tuple[bytes, int]:
    """Return the data bytes of a message, and the position after them; real-time bytes may stand between them."""
    values = data[place : place + count]
    place += count
    if len(values) == count and max(values) < 0x80:
        return values, place
    place -= count
    values = b""
    while len(values) < count and place < len(data) and data[place] != _META:
        values += data[place : place + 1] if data[place] < _REAL_TIME else b""
        place += 1
    if len(values) < count or max(values) > 0x7F:
        raise ValueError("a message is damaged")
    return values, place


def _number(data: bytes, place: int) -> tuple[int, int]:
    """Return a variable-length number (seven bits per byte), and the position after it."""
    value = 0
    for last in range(place, place + 4):
        value = value << 7 | data[last] & 0x7F
        if not data[last] & 0x80:
            return value, last + 1
    raise ValueError("a number is longer than four bytes")
