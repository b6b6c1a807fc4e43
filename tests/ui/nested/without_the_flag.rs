use tensorbridge::Tensor;

#[derive(Tensor)]
struct Pose {
    position: [f32; 3],
}

#[derive(Tensor)]
struct Scene {
    pose: Pose,
    poses: [Pose; 4],
}

fn main() {}
