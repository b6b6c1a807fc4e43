use tensorbridge::Tensor;

#[derive(Tensor)]
#[tensor(dims(n = ..=4))]
struct Image {
    #[tensor(rename = "is_moving")]
    moving: u8,
    is_moving: u8,
    #[tensor(shape = [n], rename = "n")]
    x: [f32; 4],
}

fn main() {}
