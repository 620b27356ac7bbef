"""Carrying it out: training runs as processes, here or on a cluster, until none is missing."""
