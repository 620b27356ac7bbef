"""How the updates of a run are carried out: one after the other, or ahead of their turn on another thread."""
