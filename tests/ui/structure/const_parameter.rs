use tensorbridge::Tensor;

#[derive(Tensor)]
struct Image<const N: usize> {
    pixels: [f32; N],
}

fn main() {}
