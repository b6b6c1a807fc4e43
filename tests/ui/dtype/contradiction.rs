use tensorbridge::Tensor;

#[derive(Tensor)]
struct Image {
    #[tensor(dtype = f64)]
    weight: f32,
    #[tensor(dtype = bf16)]
    pixels: [i16; 4],
    #[tensor(dtype = f32)]
    bits: [u32; 4],
}

fn main() {}
