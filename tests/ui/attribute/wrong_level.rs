use tensorbridge::Tensor;

#[derive(Tensor)]
#[tensor(shape = [3, 4])]
struct Image {
    #[tensor(dims(n = ..=8))]
    pixels: [f32; 12],
}

fn main() {}
