use tensorbridge::Tensor;

#[derive(Tensor)]
struct Image {
    #[tensor(shpae = [3, 4])]
    pixels: [f32; 12],
}

fn main() {}
