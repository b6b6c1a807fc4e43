use tensorbridge::Tensor;

#[derive(Tensor)]
struct Image {
    depth: Option<[f32; 4]>,
}

fn main() {}
