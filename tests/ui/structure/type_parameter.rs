use tensorbridge::Tensor;

#[derive(Tensor)]
struct Image<T> {
    pixels: [T; 12],
}

fn main() {}
