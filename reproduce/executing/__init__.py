"""Training runs as processes, on this machine or a cluster, until no run of a protocol is missing."""
