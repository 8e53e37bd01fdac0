//! dhow-ssh.
