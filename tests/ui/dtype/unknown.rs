use tensorbridge::Tensor;

#[derive(Tensor)]
struct Image {
    #[tensor(dtype = flt16)]
    pixels: [u16; 12],
    #[tensor(dtype = float32)]
    depth: [f32; 12],
    #[tensor(dtype = "f32")]
    weight: f32,
}

fn main() {}
