use tensorbridge::Tensor;

#[derive(Tensor)]
#[tensor(dims(seq = ..=512))]
struct Tokens {
    #[tensor(shape = [sqe])]
    ids: [i64; 512],
    #[tensor(shape = [seq])]
    mask: [i64; 512],
}

fn main() {}
