use tensorbridge::Tensor;

#[derive(Tensor)]
struct Image {
    #[tensor(align = 48)]
    id: u64,
    #[tensor(align = 8192)]
    stamp: u64,
}

fn main() {}
