"""Figures from runs and published numbers, the same bytes every time: SVG for pages, PNG for a quick look.

``style``: looks and saving.  ``one_game``: curves of one game.  ``suite``: many games at once.  ``bars``: bars,
profiles and intervals of final scores.
"""

from reproduce.presenting.plots.one_game import (
    beginning_beside_published,
    evaluations,
    learning_curves,
    moving_average,
    title,
    training_beside_published,
    value_and_return,
)
from reproduce.presenting.plots.style import amount, figure, render_one, save, save_one, style

__all__ = [
    "amount",
    "beginning_beside_published",
    "evaluations",
    "figure",
    "learning_curves",
    "moving_average",
    "render_one",
    "save",
    "save_one",
    "style",
    "title",
    "training_beside_published",
    "value_and_return",
]
