"""Writing tables, figures, pages of docs/ and reports.

Which module does what:

    results_folder      results/: reads the records once, and writes or compares everything that follows from them
    tables_folder       the files of results/tables/, from what score_tables and curve_tables return
    score_tables        scores per game: the published columns alone, and ours beside them
    curve_tables        our training returns beside the published curves, a page per preset
    evidence_tables     results/tables/evidence_<protocol>: a protocol's whole table, its missing cells named
    plots_folder        the files of results/plots/, from what run_figures and published_figures draw
    run_figures         which figures there are of our runs; ``dqn-tf report`` shows the same
    published_figures   which figures there are of the published numbers alone
    evidence_figures    results/plots/<protocol>/: a protocol's figures
    plots/              how a figure is drawn, by what it shows
    docs_pages          the generated pages of docs/: which there are; each is written by one of
    ..._page, agent_pages   the page of that name
    quickstart_report   results/quickstart/: the report of the quick start
    report/             one HTML page about a folder of runs (``dqn-tf report``)
"""
