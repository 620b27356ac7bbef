"""Reading run directories and published numbers."""
