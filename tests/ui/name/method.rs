use tensorbridge::Tensor;

#[derive(Tensor)]
struct Image {
    send: u8,
    keys: u8,
    #[tensor(rename = "torch")]
    light: u8,
    len: u8,
}

fn main() {}
