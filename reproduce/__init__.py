"""The harness: published numbers, run directories, comparisons, tables and plots.  Results are under results/."""
