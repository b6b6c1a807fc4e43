use tensorbridge::Tensor;

#[derive(Tensor)]
struct Pose {
    position: [f32; 3],
}

#[derive(Tensor)]
struct Scene {
    #[tensor(nested)]
    pose: Option<Pose>,
}

fn main() {}
