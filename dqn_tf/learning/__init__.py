"""The update, the optimizers and exploration."""
