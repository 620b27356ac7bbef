"""Analysis: from records to scores, curves, statistics, comparisons and claims.  Writes nothing.

Which module does what, in the order in which they build on one another:

    run_scores            one run: its scores, by convention, and its curves
    collecting            many runs: their scores and curves as two tables, and what was left out of them
    statistics            arithmetic: aggregates over games, stratified bootstrap
    intervals             arithmetic: Student's t
    order_tests           arithmetic: which of two agents scores more, and the rank of a run among others
    score_aggregates      from scores of runs to numbers per game, over games and over frames
    learning_curves       published curves and ours as one table, for figures
    published_summaries   published medians and means, recomputed from the published scores
    curve_comparison      our training returns beside the published curves of the same agent and game
    claims                a protocol's claims: what each needs, our estimate, and its rule
    verdicts              reproduced or not: the verdict of every claim, order and rank of a protocol
    protocol_cells        a protocol's whole table: every agent on every environment, with gaps
    scoreboard            every published number that was attempted, over all protocols, with its verdict
"""
