"""The report of a target: one page and six lines, made from the files of the data model alone."""

from perfcast.fit.evaluation import Evaluation
from perfcast.report.page import render_report, write_report
from perfcast.report.summary import summary_lines

__all__ = ["Evaluation", "render_report", "summary_lines", "write_report"]
