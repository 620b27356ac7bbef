"""Recorded experience: written by `dqn-tf record` and `train --record`, learned from by `train --offline`.

`log.py`: what an agent sees, as it is appended to a file while it plays.  `rows.py`: what every format is read as, and
its digest.  `minari_files.py`, `dopamine_files.py`: the two formats, written and read.  `data.py`: which format a path
has, all checks, several paths as one.  `recording.py`: episodes of a trained agent, and a log as a data set.
`source.py`: the part of a run's configuration that says what it learns from.  `store.py`: the data as the replay of a
run.
"""
