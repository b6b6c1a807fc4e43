use tensorbridge::Tensor;

#[derive(Tensor)]
struct Image {
    #[tensor(shape = [3, 4], optional)]
    #[tensor(shape = [4, 3])]
    pixels: [f32; 12],
}

fn main() {}
