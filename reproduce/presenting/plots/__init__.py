"""Figures from runs and published numbers, the same bytes every time: SVG for pages, PNG for a quick look.

style        colors, sizes, and saving
curves       what figures with curves share
one_game     figures of one game: curves beside published ones, evaluations
suite        figures of many games: a grid of curves, normalized scores over frames
bars         a bar per game
aggregates   profiles and intervals of final scores over games
"""

from reproduce.presenting.plots.one_game import (
    beginning_beside_published,
    evaluations,
    learning_curves,
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
    "render_one",
    "save",
    "save_one",
    "style",
    "title",
    "training_beside_published",
    "value_and_return",
]
