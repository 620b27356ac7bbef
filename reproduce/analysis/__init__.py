"""Analysis: from records to scores, curves, statistics, comparisons and claims.  Writes nothing."""
