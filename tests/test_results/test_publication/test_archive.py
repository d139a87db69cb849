"""Archives that nobody should trust: each ends in one line, and nothing is written but the files of a run."""

from __future__ import annotations

import io
import lzma
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from results.publication import archive as archives
from results.publication.archive import pack, unpacked
from results.store.database import FILE, RUN_ARCHIVE
from results.store.errors import StoreError
from search.cli.main import run

Entry = tuple[tarfile.TarInfo, bytes]


def entry(name: str = FILE, kind: bytes = tarfile.REGTYPE, content: bytes = b"", **fields: object) -> Entry:
    found = tarfile.TarInfo(name)
    found.type, found.size = kind, len(content)
    for field, value in fields.items():
        setattr(found, field, value)
    return found, content


def tar(*entries: Entry) -> bytes:
    """Return an archive of the entries as they are, whatever their headers say of their contents."""
    blocks = b""
    for one, content in entries:
        blocks += one.tobuf(tarfile.PAX_FORMAT) + content + bytes(-len(content) % 512)
    return blocks + bytes(1024)


def header(kind: bytes, size: int, name: str = "header") -> bytes:
    one = entry(name, kind)[0]
    one.size = size
    return one.tobuf(tarfile.GNU_FORMAT)


ENTRIES: dict[str, bytes] = {
    "symbolic link": tar(entry(kind=tarfile.SYMTYPE, linkname="/etc/passwd")),
    "hard link": tar(entry(kind=tarfile.LNKTYPE, linkname="/etc/passwd")),
    "device": tar(entry(kind=tarfile.CHRTYPE, devmajor=1, devminor=3)),
    "fifo": tar(entry(kind=tarfile.FIFOTYPE)),
    "folder": tar(entry(kind=tarfile.DIRTYPE)),
    "sparse": tar(entry(kind=tarfile.GNUTYPE_SPARSE)),
    "absolute": tar(entry("/tmp/run.sqlite", content=b"x")),
    "above": tar(entry("../run.sqlite", content=b"x")),
    "above within": tar(entry("a/../../run.sqlite", content=b"x")),
    "another file": tar(entry("profile.toml", content=b"x")),
    "long name": tar(entry("x" * 5000, content=b"x")),
    "link after a file": tar(entry(content=b"x"), entry(kind=tarfile.SYMTYPE, linkname="..")),
    "no member": b"no tar" * 200,
    "ends early": tar(entry(content=bytes(5000)))[:2000],
    "member too large": header(tarfile.REGTYPE, 1 << 40, FILE) + bytes(1024),
    "negative size": header(tarfile.REGTYPE, -512, FILE) + bytes(1024),
    "negative header": header(tarfile.XHDTYPE, -512) + bytes(1024),
    "headers in headers": header(tarfile.XHDTYPE, 0) * 5000 + tar(entry(content=b"x")),
    "size in a header": tar(entry(content=b"x", pax_headers={"size": str(1 << 62)})),
    "sparse in a header": tar(entry(content=b"x", pax_headers={"GNU.sparse.map": "0,9", "GNU.sparse.size": "99"})),
    **{
        f"large {name} header": header(kind, 1 << 26) + bytes(1 << 26) + tar(entry(content=b"x"))
        for name, kind in (
            ("pax", tarfile.XHDTYPE),
            ("global pax", tarfile.XGLTYPE),
            ("name", tarfile.GNUTYPE_LONGNAME),
            ("link", tarfile.GNUTYPE_LONGLINK),
        )
    },
}
DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda whole: whole[: len(whole) // 2],
    "changed": lambda whole: whole[:40] + bytes([whole[40] ^ 255]) + whole[41:],
    "empty": lambda whole: b"",
    "not compressed": lambda whole: b"plain text",
}
GOOD = tar(entry(content=bytes(range(256)) * 40))
CASES = {name: lzma.compress(blocks, preset=0) for name, blocks in ENTRIES.items()} | {
    name: damage(lzma.compress(GOOD)) for name, damage in DAMAGED.items()
}


@pytest.mark.parametrize("name", CASES)
def test_a_malformed_archive_is_refused_in_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, temporary = tmp_path / "run", tmp_path / "temporary"
    place.mkdir()
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    (place / RUN_ARCHIVE).write_bytes(CASES[name])
    (place / "published.json").write_text("{}")
    before = sorted(tmp_path.rglob("*"))
    tracemalloc.start()
    try:
        with pytest.raises(StoreError) as error, unpacked(place, RUN_ARCHIVE):
            pass
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 1 << 25
    assert str(place / RUN_ARCHIVE) in str(error.value)
    assert len(str(error.value)) < 400
    assert run(["verify", str(place)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "internal error" not in said
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_larger_than_a_run_may_be_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LARGEST", 5000)
    (tmp_path / RUN_ARCHIVE).write_bytes(lzma.compress(GOOD))
    with pytest.raises(StoreError, match="has more than 5,000 bytes"), unpacked(tmp_path, RUN_ARCHIVE):
        pass


def test_many_small_headers_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Global headers are no entries, and an archive may have any number of them."""
    monkeypatch.setattr(archives, "LARGEST", 1 << 20)
    monkeypatch.setattr(archives, "LARGEST_READ", 1 << 17)
    record = b"99999 comment=" + b"x" * (99999 - 15) + b"\n"
    one = header(tarfile.XGLTYPE, len(record)) + record + bytes(-len(record) % 512)
    (tmp_path / RUN_ARCHIVE).write_bytes(lzma.compress(one * 15 + GOOD, preset=0))
    refused = pytest.raises(StoreError, match="has a header or entries that no archive of a run has")
    with refused, unpacked(tmp_path, RUN_ARCHIVE):
        pass


def test_what_was_packed_is_unpacked(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / FILE).write_bytes(content)
    pack(tmp_path, RUN_ARCHIVE, [FILE])
    assert not (tmp_path / FILE).exists()
    with unpacked(tmp_path, RUN_ARCHIVE) as whole:
        assert (whole / FILE).read_bytes() == content
    with tarfile.open(fileobj=io.BytesIO((tmp_path / RUN_ARCHIVE).read_bytes())) as packed:
        assert packed.getnames() == [FILE]
