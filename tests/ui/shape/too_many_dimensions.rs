use tensorbridge::Tensor;

type Deep = [[[[[[[[[f32; 1]; 1]; 1]; 1]; 1]; 1]; 1]; 1]; 1];

#[derive(Tensor)]
struct Image {
    #[tensor(shape = [1, 1, 1, 1, 1, 1, 1, 1, 1])]
    x: [f32; 1],
    y: Deep,
}

fn main() {}
