use tensorbridge::Tensor;

#[derive(Tensor)]
struct Image {
    count: usize,
    offsets: [isize; 4],
    wide: u128,
}

fn main() {}
