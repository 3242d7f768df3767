"""How many models each dataset has."""

from perfcast.pages import Column, Figure, Page, Section, Table, text_row
from perfcast.pages.embed import plot_text
from perfcast.studies.results import read_results
from perfcast.studies.study import Findings, Option, Study


def _run(paths, options):
    counts = {str(path): read_results(path, ("model",))["model"].nunique() for path in paths}
    rows = tuple(text_row(name, str(count)) for name, count in counts.items())
    table = Table("Models of each dataset", (Column("Dataset", numeric=False), Column("Models")), rows)
    bars = {"type": "bar", "x": [plot_text(name) for name in counts], "y": list(counts.values())}
    figure = Figure("counts", "Models", "Bars, one per dataset.", (bars,))
    few = [name for name, count in counts.items() if count < options["enough"]]
    lines = [f"few models: {', '.join(few)}"] if few or options["loud"] else []
    page = Page("How many", sections=(Section("models", "Models", tuple(lines), (table,), (figure,)),))
    return Findings((table, *lines), page, status=3 if few else 0)


STUDY = Study(
    summary="How many models datasets have.",
    help="Count the models of each DATASET.",
    inputs=("DATASET...",),
    run=_run,
    options=(
        Option("enough", "Fewer models than this are few.", {"type": "integer", "minimum": 1}, 1),
        Option("loud", "Say so where none is.", {"type": "boolean"}, False),
    ),
)
