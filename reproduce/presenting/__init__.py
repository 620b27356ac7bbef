"""Writing tables, figures, pages of docs/ and reports."""
