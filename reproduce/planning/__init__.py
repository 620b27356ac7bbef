"""Protocols, the runs that they ask for, and what these will cost."""
