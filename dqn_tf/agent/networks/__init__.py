"""From observations to values: torsos, heads, initial weights."""
