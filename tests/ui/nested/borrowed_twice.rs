use tensorbridge::Tensor;

use tensorbridge::view::Owned;

#[derive(Tensor)]
struct Pose {
    position: [f32; 3],
}

#[derive(Tensor)]
struct Scene {
    #[tensor(nested)]
    pose: Pose,
    id: u64,
}

fn main() {
    let mut scene = Owned::<Scene>::zeroed();
    let pose = scene.pose_mut();
    scene.set_id(1);
    pose.position_mut()[0] = 1.0;
}
