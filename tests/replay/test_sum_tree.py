"""The tree: what a node is, what is found, and that it forgets the order in which it was written."""

from __future__ import annotations

import numpy as np
import pytest

from dqn_tf.replay.sum_tree import Tree


def random_tree(capacity: int, seed: int = 0) -> Tree:
    random, tree = np.random.default_rng(seed), Tree(capacity)
    for _ in range(20):
        places = random.integers(0, capacity, 7)
        tree.set(places, random.random(7) * (random.random(7) < 0.7) * 10.0 ** random.integers(-9, 9, 7))
    return tree


@pytest.mark.parametrize("capacity", [1, 2, 3, 7, 8, 100])
@pytest.mark.parametrize(("combine", "empty"), [(np.add, 0.0), (np.minimum, np.inf)])
def test_every_node_is_made_of_its_children(capacity: int, combine: np.ufunc, empty: float) -> None:
    random, tree = np.random.default_rng(0), Tree(capacity, combine, empty)
    tree.set(random.integers(0, capacity, 50), random.random(50))
    for node in range(1, tree.size):
        assert tree.nodes[node] == combine(tree.nodes[2 * node], tree.nodes[2 * node + 1])


def test_by_hand() -> None:
    """Leaves 1, 0, 3, 2: running sums 1, 1, 4, 6."""
    tree = Tree(4)
    tree.set(np.arange(4), np.array([1.0, 0.0, 3.0, 2.0]))
    assert tree.root == 6.0
    assert tree.find(np.array([0.0, 0.99, 1.0, 3.99, 4.0, 5.99])).tolist() == [0, 0, 2, 2, 3, 3]


def test_finds_as_the_running_sum_does() -> None:
    random, tree = np.random.default_rng(1), Tree(13)
    tree.set(np.arange(13), random.integers(0, 4, 13).astype(float))  # whole numbers: no rounding
    targets = np.concatenate([np.arange(tree.root), random.random(500) * tree.root])
    want = np.searchsorted(np.cumsum(tree.leaves), targets, side="right")
    assert tree.find(targets).tolist() == want.tolist()


def test_a_leaf_of_zero_is_never_found() -> None:
    """Not at the root itself and beyond, where rounding may put a target, nor among leaves of very different sizes."""
    for seed in range(20):
        tree = random_tree(37, seed)
        targets = np.concatenate([np.random.default_rng(seed).random(300) * tree.root, [0.0, tree.root, 2 * tree.root]])
        assert (tree.leaves[tree.find(targets)] > 0).all()


def test_of_two_values_for_one_place_the_later_counts() -> None:
    tree = Tree(4)
    tree.set(np.array([2, 2, 2]), np.array([5.0, 9.0, 1.5]))
    assert tree.root == 1.5


def test_the_nodes_depend_on_the_leaves_alone() -> None:
    """However they came to be: so a checkpoint needs the leaves only."""
    tree, other = random_tree(53), Tree(53)
    other.fill(tree.leaves.copy())
    assert np.array_equal(tree.nodes, other.nodes)
    places = np.random.default_rng(1).permutation(53)
    third = Tree(53)
    for place in places:
        third.set(places[:1] * 0 + place, tree.leaves[[place]])
    assert np.array_equal(tree.nodes, third.nodes)
