"""The formats of reports: each module writes a :class:`pv.reports.model.Report` as text, with ``write``."""
