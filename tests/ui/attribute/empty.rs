use tensorbridge::Tensor;

#[derive(Tensor)]
struct Image {
    #[tensor]
    pixels: [f32; 12],
    #[tensor()]
    id: u64,
}

fn main() {}
