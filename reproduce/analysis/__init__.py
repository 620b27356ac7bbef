"""From records to numbers: scores, curves, statistics, comparisons, claims.  Writes nothing."""
