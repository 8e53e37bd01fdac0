//! dhow-commands.
