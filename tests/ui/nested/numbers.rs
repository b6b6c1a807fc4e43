use tensorbridge::Tensor;

#[derive(Tensor)]
struct Scene {
    #[tensor(nested)]
    position: [f32; 3],
    #[tensor(nested)]
    id: u64,
    #[tensor(nested)]
    note: String,
}

fn main() {}
