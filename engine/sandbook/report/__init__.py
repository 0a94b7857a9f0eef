"""The record of a run: a fold over its events, live or read back."""

from sandbook.report._fold import ReportFold, fold
from sandbook.report._model import (
    FAILED,
    AttemptReport,
    Output,
    ProviderAttempt,
    QuotaUse,
    Report,
    SandboxReport,
    StepReport,
    Totals,
)

__all__ = [
    "FAILED",
    "AttemptReport",
    "Output",
    "ProviderAttempt",
    "QuotaUse",
    "Report",
    "ReportFold",
    "SandboxReport",
    "StepReport",
    "Totals",
    "fold",
]
