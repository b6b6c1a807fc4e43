use tensorbridge::Tensor;

#[derive(Tensor)]
struct Image {
    #[tensor(dtype = f16)]
    pixels: [f32; 4],
    #[tensor(dtype = bool)]
    seen: u32,
}

fn main() {}
