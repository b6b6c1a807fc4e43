//! DLPack: tensors handed from one framework to another without a copy.

pub(crate) mod abi;
pub(crate) mod export;
pub(crate) mod import;
