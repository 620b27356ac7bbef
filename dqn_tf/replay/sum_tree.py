"""A binary tree over numbers whose every node is a function of its two children: sums to draw by, minima to scale by.

Paper: Schaul et al. 2016 (arXiv 1511.05952), appendix B.2.1, "Proportional prioritization".

Nodes are float64 and always recomputed from their children, never corrected by differences: the tree is a function
of its leaves alone, to the last bit, whatever the order in which they were set.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def tree_bytes(capacity: int) -> int:
    """Memory of a tree: 8 bytes for each node.

    >>> tree_bytes(5), Tree(5).nodes.nbytes
    (128, 128)
    """
    return 8 * 2 * 2 ** _levels(capacity)


def _levels(capacity: int) -> int:
    return max(1, (capacity - 1).bit_length())


class Tree:
    """Node i combines nodes 2 i and 2 i + 1; node 1 is the root; the leaves are the last ``size`` nodes.

    >>> tree = Tree(3)
    >>> tree.set(np.array([0, 1, 2]), np.array([1.0, 0.0, 3.0]))
    >>> tree.root, tree.find(np.array([0.0, 0.9, 1.0, 3.9])).tolist()
    (4.0, [0, 0, 2, 2])
    """

    def __init__(self, capacity: int, combine: Callable[..., np.ndarray] = np.add, empty: float = 0.0) -> None:
        """
        Args:
            capacity: how many leaves.
            combine: two arrays of children -> the array of their parents.
            empty: what a leaf is before it is set.
        """
        self.capacity, self._combine = capacity, combine
        self.levels = _levels(capacity)
        self.size = 2**self.levels
        self.nodes = np.full(2 * self.size, empty)

    @property
    def root(self) -> float:
        """All leaves combined: their sum, or what ``combine`` makes of them."""
        return float(self.nodes[1])

    @property
    def leaves(self) -> np.ndarray:
        """[capacity] float64, a view."""
        return self.nodes[self.size : self.size + self.capacity]

    def set(self, places: np.ndarray, values: np.ndarray) -> None:
        """Set leaves; of two values for one place the later counts.

        Args:
            places: [n] int64, in [0, capacity).
            values: [n] float64.
        """
        nodes = self.size + places
        self.nodes[nodes] = values
        for _ in range(self.levels):
            nodes = nodes >> 1
            self.nodes[nodes] = self._combine(self.nodes[2 * nodes], self.nodes[2 * nodes + 1])

    def fill(self, values: np.ndarray) -> None:
        """Set the first leaves.

        Args:
            values: [n] float64, n <= capacity.
        """
        self.nodes[self.size : self.size + len(values)] = values
        for level in range(self.levels - 1, -1, -1):
            parents = np.arange(2**level, 2 ** (level + 1))
            self.nodes[parents] = self._combine(self.nodes[2 * parents], self.nodes[2 * parents + 1])

    def find(self, targets: np.ndarray) -> np.ndarray:
        """The places [B] of the leaves in which the running sum of all leaves passes ``targets`` [B] in [0, root).

        A leaf of zero is never found, not even where rounding puts a target past the last leaf.
        """
        targets, nodes = targets.copy(), np.ones(len(targets), np.int64)
        for _ in range(self.levels):
            left = self.nodes[2 * nodes]
            right = (targets >= left) & (self.nodes[2 * nodes + 1] > 0)
            targets -= np.where(right, left, 0.0)
            nodes = 2 * nodes + right
        return nodes - self.size
