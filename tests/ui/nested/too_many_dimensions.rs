use tensorbridge::Tensor;

#[derive(Tensor)]
#[tensor(dims(a = ..=2, b = ..=2, c = ..=2))]
struct Block {
    #[tensor(shape = [a, b, c])]
    cells: [f32; 8],
}

#[derive(Tensor)]
#[tensor(dims(n = ..=4))]
struct Blocks {
    #[tensor(nested)]
    first: Block,
    #[tensor(nested)]
    second: Block,
    #[tensor(nested)]
    third: Block,
    #[tensor(shape = [n])]
    weights: [f32; 4],
}

fn main() {}
