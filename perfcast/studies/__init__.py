"""Studies: readings of datasets, each with findings, figures and a page."""
