use tensorbridge::Tensor;

#[derive(Tensor)]
struct Pose {
    position: [f32; 3],
}

#[derive(Tensor)]
struct Scene {
    #[tensor(nested)]
    poses: [Pose; 4],
    id: u64,
}

fn read(scene: &SceneRef) -> &[f32] {
    scene.poses().position()
}

fn main() {
    let _ = read;
}
