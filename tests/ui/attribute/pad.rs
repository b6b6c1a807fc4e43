use tensorbridge::Tensor;

#[derive(Tensor)]
struct Image {
    #[tensor(pad = 0.5)]
    id: u64,
    #[tensor(pad = 300)]
    grey: [u8; 4],
    #[tensor(pad = -1)]
    pixels: [f32; 12],
}

fn main() {}
