"""How a return is represented, predicted and regressed: one family per file."""
