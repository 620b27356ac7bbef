"""Records: run directories and published numbers are read here, and finished runs exported to results/runs/."""
