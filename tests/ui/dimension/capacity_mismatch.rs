use tensorbridge::Tensor;

#[derive(Tensor)]
#[tensor(dims(seq = ..=512))]
struct Tokens {
    #[tensor(shape = [seq])]
    mask: [i64; 256],
    #[tensor(shape = [2, seq])]
    spans: [[u16; 100]; 2],
}

fn main() {}
