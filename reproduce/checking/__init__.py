"""Checks of the package against other programs and against itself, run by hand; they write their findings."""
