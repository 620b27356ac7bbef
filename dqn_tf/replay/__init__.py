"""Experience: single frames in a ring, n-step transitions, samplers."""
