use tensorbridge::Tensor;

#[derive(Tensor)]
#[tensor(export = "python/logic.py")]
struct True {
    id: u64,
}

fn main() {}
