use tensorbridge::Tensor;

#[derive(Tensor)]
struct Settings {
    a: u8 = 3,
}

fn main() {}
