use tensorbridge::Tensor;

#[derive(Tensor)]
struct Image {
    #[tensor(required, optional)]
    pixels: [f32; 12],
}

fn main() {}
