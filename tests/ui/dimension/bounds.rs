use tensorbridge::Tensor;

#[derive(Tensor)]
#[tensor(dims(seq = 64..=1, n = ..=0, m = 1..9, k = 8, l = x))]
struct Tokens {
    #[tensor(shape = [seq])]
    ids: [i64; 64],
    #[tensor(shape = [n])]
    spans: [i64; 64],
    #[tensor(shape = [k])]
    marks: [i64; 8],
}

fn main() {}
