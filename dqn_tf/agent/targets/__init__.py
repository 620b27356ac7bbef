"""What the target backs up: one rule per file."""
