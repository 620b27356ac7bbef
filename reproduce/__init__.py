"""The harness: from a protocol to the tables and figures in results/.

The folders follow the data:

    planning/     protocols, and the runs and costs that follow from them
    executing/    the runs as processes, here or on a cluster
    records/      what is read: run directories, published numbers (``published.py`` alone reads results/published/);
                  and the export of runs to results/runs/
    analysis/     from records to scores, statistics, comparisons and claims
    presenting/   from these to tables, figures, pages of docs/ and reports
    checking/     equations beside other libraries' answers, and Atari's exact restores; run by hand

``dqn-tf reproduce``, ``status``, ``report`` and ``results`` call them (command_options.py: their options;
results_command.py: the parts of ``results``; formatting.py: numbers and tables as text; places.py: where files lie).
"""
