use tensorbridge::Tensor;

#[derive(Tensor)]
#[tensor(dims(n = ..=8))]
struct Pose {
    #[tensor(shape = [n])]
    joints: [f32; 8],
}

#[derive(Tensor)]
#[tensor(dims(n = ..=64))]
struct Scene {
    poses: [Pose; 4],
    #[tensor(shape = [n])]
    weights: [f32; 64],
}

fn main() {}
