"""Observations that are a Dict or a Tuple, made one vector: Gymnasium's card game shows a Tuple of three numbers."""

import gymnasium


def blackjack() -> gymnasium.Env:
    """32 + 11 + 2 places: the player's sum, the dealer's card, and whether there is a usable ace, each one-hot."""
    return gymnasium.wrappers.FlattenObservation(gymnasium.make("Blackjack-v1"))
