//! dhow-plan.
