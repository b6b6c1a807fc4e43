use tensorbridge::Tensor;

#[derive(Tensor)]
struct Image {
    pixels: &'static [f32],
    raw: *const f32,
    convert: fn(f32) -> f32,
    boxed: Box<f32>,
    open: [f32],
}

fn main() {}
