"""Value families: how the return is represented, predicted and regressed; one per file."""
