"""The report: one HTML page and one JSON file, for readers who did not run the audit."""

from sensitivenets.report.writing import ReportFiles, save_all, write_report

__all__ = ["ReportFiles", "save_all", "write_report"]
