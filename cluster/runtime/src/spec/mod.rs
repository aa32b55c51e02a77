//! What containers run with.
