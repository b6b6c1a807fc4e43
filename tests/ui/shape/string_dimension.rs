use tensorbridge::Tensor;

#[derive(Tensor)]
#[tensor(dims(seq = ..=512))]
struct Tokens {
    #[tensor(shape = ["seq"])]
    ids: [i64; 512],
}

fn main() {}
