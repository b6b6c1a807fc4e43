use tensorbridge::Tensor;

#[derive(Tensor)]
#[tensor(name = "My Image")]
struct Image {
    id: u64,
}

#[derive(Tensor)]
struct Bäume {
    count: u64,
}

fn main() {}
