use tensorbridge::Tensor;

#[derive(Tensor)]
struct Pose {
    position: [f32; 3],
}

#[derive(Tensor)]
struct Scene {
    #[tensor(nested)]
    pose: Pose,
    pose_mut: u64,
    #[tensor(nested)]
    send: Pose,
    #[tensor(nested)]
    r#class: Pose,
    #[tensor(nested, rename = "pose")]
    other: Pose,
}

fn main() {}
