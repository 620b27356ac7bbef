"""``python -m dqn_tf`` is the command ``dqn-tf``."""

import sys

from dqn_tf.cli import main

if __name__ == "__main__":
    sys.exit(main())
