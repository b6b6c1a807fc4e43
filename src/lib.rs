//! Typed tensor records in shared memory.
