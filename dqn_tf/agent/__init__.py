"""The algorithm: networks, value families, targets, the update, exploration. No threads, no files."""
