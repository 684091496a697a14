"""Parts of published .tar.gz archives, unpacked next to them once."""

from __future__ import annotations

import gzip
import shutil
import sys
import tarfile
import zlib
from pathlib import Path
from typing import Any

GZIP = b"\x1f\x8b"
BLOCK = 1 << 20  # bytes
DAMAGE = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error)


def unpack(archive: Path, part: str, into: Path, progress: bool | None = None) -> Path:
    """Unpack one folder of an archive; what is there already is kept. The folder appears when it is complete.

    Only plain files and folders under ``part`` are taken, and none that would land elsewhere.

    Args:
        archive: a .tar or .tar.gz file.
        part: folder within it, e.g. "training/TE_heat".
        into: folder to unpack into.
        progress: whether to show a bar; by default on a terminal.

    Returns:
        The folder.

    Raises:
        FileNotFoundError: if the archive has no such folder.
        ValueError: if the archive is damaged: its end is cut off, a header is none, or the checksum of gzip is another.
    """
    target = into / part
    if target.is_dir():
        return target
    unfinished = into / f".{part.replace('/', '-')}.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        with _watched(archive, progress) as stream:
            plain = gzip.GzipFile(fileobj=stream) if _is_gzip(archive) else stream
            with tarfile.open(fileobj=plain, mode="r|*") as members:
                for member in members:
                    if member.isfile() and f"{member.name.removeprefix('./')}".startswith(part + "/"):
                        members.extract(member, unfinished, filter="data")
                _check_end(members.fileobj)
        found = next((place for place in (unfinished / part, unfinished / "." / part) if place.is_dir()), None)
        if found is None:
            raise FileNotFoundError(f"expected the folder {part} in {archive}, found none; is it the right archive?")
        target.parent.mkdir(parents=True, exist_ok=True)
        found.rename(target)
    except DAMAGE as error:
        raise ValueError(f"expected a whole tar archive, but {archive} is damaged ({error}); fetch it again") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def _is_gzip(archive: Path) -> bool:
    with open(archive, "rb") as file:
        return file.read(len(GZIP)) == GZIP


def _check_end(rest: Any) -> None:
    """Read an archive to its end, where gzip compares its checksum.

    Raises:
        tarfile.ReadError: if something follows the last member: tarfile takes a damaged header for the end.
    """
    while block := rest.read(BLOCK):
        if block.strip(b"\0"):
            raise tarfile.ReadError("a header is damaged")


def _watched(archive: Path, progress: bool | None):
    """The open archive, with a bar of the bytes that have been read."""
    from rich.progress import open as open_with_bar

    shown = sys.stderr.isatty() if progress is None else progress
    return open_with_bar(archive, "rb", description=f"unpacking {archive.name}", disable=not shown)
