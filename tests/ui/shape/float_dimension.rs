use tensorbridge::Tensor;

#[derive(Tensor)]
struct Image {
    #[tensor(shape = [3.0, 4])]
    pixels: [f32; 12],
    #[tensor(shape = [3usize, 2 * 2])]
    depth: [f32; 12],
}

fn main() {}
