//! dhow-report.
