"""Predictions to look at and to hand on: the HTML page, tables, contact files and figures (no torch)."""

from msaformer.report.exports import write_casp_rr, write_csv
from msaformer.report.page import write_report

__all__ = ["write_casp_rr", "write_csv", "write_report"]
