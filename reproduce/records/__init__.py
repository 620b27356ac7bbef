"""What is there: run directories, and published numbers."""
