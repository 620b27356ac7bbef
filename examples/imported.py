"""One network of another program, under several protocols: a score means little without its protocol.

python examples/imported.py model.zip breakout --source sb3 --protocols nature2015,dopamine --episodes 10
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import dqn_tf

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("environment")
    parser.add_argument("--source", required=True)
    parser.add_argument("--protocols", default="", help="of an Atari game")
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--epsilon", type=float, default=0.001)
    given = parser.parse_args()
    for protocol in given.protocols.split(","):
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "imported.zip"
            dqn_tf.import_network(given.file, given.source, given.environment, archive, protocol=protocol or None)
            found = dqn_tf.evaluate(archive, given.episodes, epsilon=given.epsilon)
        print(f"{protocol or given.environment}: {found['return_mean']:.1f} over {found['episodes']} episodes")
