use tensorbridge::Tensor;

#[derive(Tensor)]
struct Nothing;

fn main() {}
