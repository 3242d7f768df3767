"""The report of a target: one page and six lines, made from the files of the data model alone."""

from perfcast.fit.evaluation import Evaluation
from perfcast.studies.prediction.imported import imported_summary_lines, render_imported_report
from perfcast.studies.prediction.page import render_report
from perfcast.studies.prediction.rendering import write_report
from perfcast.studies.prediction.summary import summary_lines

__all__ = [
    "Evaluation",
    "imported_summary_lines",
    "render_imported_report",
    "render_report",
    "summary_lines",
    "write_report",
]
