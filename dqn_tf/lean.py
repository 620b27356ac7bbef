"""A smaller process for programs that only train: `dqn-tf` uses this, a program that imports dqn_tf does not.

TensorFlow's import is most of a short run's memory and start (docs/speed.md).  Two parts of it are never used here.
Neither changes a byte of a run.
"""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

# Keras imports these where they are installed: pandas and SciPy to be given their tables, the others to draw pictures.
UNUSED = ("cv2", "matplotlib", "pandas", "scipy")
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ (\d+)\s+(.*)")


@contextlib.contextmanager
def imports(smaller: bool) -> Iterator[None]:
    """TensorFlow is imported meanwhile; ``smaller``: Keras too, without the packages of ``UNUSED``, and what only its
    import needed is given back."""
    if not smaller:
        yield
        return
    with without_unused():
        yield
        _ = importlib.import_module("tensorflow").keras
    release_code()


@contextlib.contextmanager
def without_unused() -> Iterator[None]:
    """What is imported meanwhile does not find the packages of ``UNUSED``, unless they are imported already; afterwards
    they can be imported as always."""
    hidden = [name for name in UNUSED if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            if sys.modules.get(name, 0) is None:
                del sys.modules[name]


def release_code() -> int:
    """Give back the pages of libraries' code; those that are needed again are mapped again from the page cache.

    Only mappings of files that are executable, not writable, and of which no page is this process's own.

    Returns:
        Resident bytes that were given back; 0 where the system has no such way.
    """
    import ctypes  # here, as `dqn-tf --help` does not need it
    import mmap

    released = 0
    with contextlib.suppress(OSError, AttributeError, ValueError):
        madvise = ctypes.CDLL(None, use_errno=True).madvise
        madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        for first, end, resident in _code(Path("/proc/self/smaps").read_text()):
            if madvise(first, end - first, mmap.MADV_DONTNEED) == 0:
                released += resident
    return released


def _code(smaps: str) -> Iterator[tuple[int, int, int]]:
    """(first address, end, resident bytes) of the mappings that may be given back, of the text of /proc/PID/smaps.

    >>> text = "1000-3000 r-xp 0 08:01 7 /usr/lib/libx.so\\nRss: 8 kB\\nAnonymous: 0 kB\\n"
    >>> list(_code(text)), list(_code(text.replace("Anonymous: 0", "Anonymous: 4")))
    ([(4096, 12288, 8192)], [])
    """
    mapping, resident = None, 0
    for line in smaps.splitlines():
        if found := _MAPPING.match(line):
            mapping = found if found[3] == "r-xp" and found[4] != "0" else None
        elif mapping and line.startswith("Rss:"):
            resident = int(line.split()[1]) * 1024
        elif mapping and line.startswith("Anonymous:") and int(line.split()[1]) == 0:
            yield int(mapping[1], 16), int(mapping[2], 16), resident


def release_heap() -> None:
    """Give back what the C library's heap keeps of what was freed, some 35 MB after compilation (glibc only)."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
