use tensorbridge::Tensor;

#[derive(Tensor)]
struct Pose {
    #[tensor(shape = [4, 3])]
    m: [[f32; 4]; 4],
}

fn main() {}
