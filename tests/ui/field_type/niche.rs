use tensorbridge::Tensor;

#[derive(Tensor)]
struct Image {
    letter: char,
    seen: bool,
    count: std::num::NonZeroU8,
    pair: (f32, f32),
}

fn main() {}
