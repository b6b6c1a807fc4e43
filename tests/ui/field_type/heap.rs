use tensorbridge::Tensor;

#[derive(Tensor)]
struct Person {
    name: String,
    marks: Vec<f32>,
    index: std::collections::HashMap<u8, u8>,
}

fn main() {}
