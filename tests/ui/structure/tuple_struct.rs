use tensorbridge::Tensor;

#[derive(Tensor)]
struct Pair(f32, f32);

fn main() {}
