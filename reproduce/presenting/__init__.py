"""From numbers to files: tables, figures, pages of docs/, reports."""
