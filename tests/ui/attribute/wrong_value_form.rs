use tensorbridge::Tensor;

#[derive(Tensor)]
#[tensor(name = vision, version = "2", dims = 3)]
struct Image {
    #[tensor(shape = 12, optional = true)]
    pixels: [f32; 12],
    #[tensor(shape(2, 2), align = big, pad = "0", rename = id_)]
    id: [u64; 4],
}

fn main() {}
