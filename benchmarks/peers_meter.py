"""What ``peers.py`` and ``ours.py`` count with, and what they have in common.  Python 3.7 can read this file."""

import mmap
import sys
import threading

CAPACITY, LEARNING_STARTS = 100_000, 2_000
PACKAGES = "torch jax jaxlib flax tensorflow tensorflow-cpu stable-baselines3 dopamine-rl dm-haiku gym gymnasium ale-py"


class Meter:
    """Counts agent steps and updates where another process can read them: a file of two float64 numbers."""

    def __init__(self, path):
        with open(path, "r+b") as file:
            self.counts = memoryview(mmap.mmap(file.fileno(), 0)).cast("d")
        self.lock = threading.Lock()

    def step(self, number=1.0):
        """``number`` agent steps are made."""
        with self.lock:
            self.counts[0] += number

    def update(self, *_):
        """An update is made."""
        with self.lock:
            self.counts[1] += 1

    def before(self, owner, name, count):
        """Have ``count(self, *arguments)`` called before each call of a method.

        Args:
            owner: the class.
            name: its method.
            count: called with what the method is called with.
        """
        method = getattr(owner, name)

        def counted(self, *arguments, **named):
            count(self, *arguments)
            return method(self, *arguments, **named)

        setattr(owner, name, counted)


def versions():
    """Which releases of what matters are installed here."""
    try:
        from importlib.metadata import PackageNotFoundError, version
    except ImportError:  # Python 3.7
        from pkg_resources import DistributionNotFound as PackageNotFoundError
        from pkg_resources import get_distribution

        def version(name):
            return get_distribution(name).version

    found = {"python": "%d.%d" % sys.version_info[:2]}
    for name in PACKAGES.split():
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            pass
    return found
