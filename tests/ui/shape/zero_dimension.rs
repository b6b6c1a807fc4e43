use tensorbridge::Tensor;

#[derive(Tensor)]
struct Image {
    #[tensor(shape = [3, 0])]
    pixels: [f32; 12],
    #[tensor(shape = [-3, 4])]
    depth: [f32; 12],
    #[tensor(shape = [])]
    id: u64,
    nothing: [[f32; 0]; 4],
}

fn main() {}
