"""The report of a target: one page and six lines, made from the files of the data model alone."""

from perfcast.fit.evaluation import Evaluation
from perfcast.report.imported import imported_summary_lines, render_imported_report
from perfcast.report.page import render_report
from perfcast.report.rendering import write_report
from perfcast.report.summary import summary_lines

__all__ = [
    "Evaluation",
    "imported_summary_lines",
    "render_imported_report",
    "render_report",
    "summary_lines",
    "write_report",
]
