"""The report of a target: one page and six lines, made from the files of the data model alone."""

from perfcast.studies.prediction.imported import imported_page, imported_sentence
from perfcast.studies.prediction.page import report_page
from perfcast.studies.prediction.summary import metric_lines, summary_lines

__all__ = ["imported_page", "imported_sentence", "metric_lines", "report_page", "summary_lines"]
