use tensorbridge::Tensor;

struct Pose {
    _position: [f32; 3],
}

#[derive(Tensor)]
struct Scene {
    #[tensor(nested)]
    pose: Pose,
    id: u64,
}

fn read(scene: &SceneRef) -> u64 {
    scene.id()
}

fn main() {
    let _ = read;
}
