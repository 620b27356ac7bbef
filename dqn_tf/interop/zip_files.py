"""What reading a ZIP file that is damaged, or that nobody here wrote, can raise."""

from __future__ import annotations

import zipfile
import zlib

DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)
"""RuntimeError: of an encrypted member, and, as NotImplementedError, of a compression unknown to it."""
