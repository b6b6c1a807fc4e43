//! The `Tensor` derive.
