"""One self-contained HTML page about a folder of runs: ``dqn-tf report DIR``."""
