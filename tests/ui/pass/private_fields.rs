//! Nothing that the derive makes is a warning: not in a program, not with private fields that nobody reads.
#![deny(warnings, missing_docs, missing_debug_implementations, unused_qualifications, unreachable_pub)]
#![deny(single_use_lifetimes, unused_lifetimes, trivial_casts, trivial_numeric_casts, rust_2018_idioms)]
#![forbid(unsafe_code)]

use tensorbridge::Tensor;
use tensorbridge::view::Owned;

#[derive(Tensor)]
#[tensor(dims(seq = 1..=16))]
struct Tokens {
    #[tensor(shape = [seq], pad = -1)]
    ids: [i64; 16],
    #[tensor(shape = [2, seq], optional)]
    mask: [u8; 32],
    stamp: u64,
    #[tensor(optional, dtype = bf16)]
    weight: u16,
    #[tensor(skip)]
    note: Option<String>,
}

fn main() {
    let mut tokens = Owned::<Tokens>::zeroed();
    tokens.set_seq(2).expect("it is within the bounds");
    tokens.ids_mut()[1] = 5;
    assert_eq!(tokens.ids(), [0, 5]);
}
