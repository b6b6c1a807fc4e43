//! The runtime of tensorbridge.
