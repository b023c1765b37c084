//! Every exit code, named.
