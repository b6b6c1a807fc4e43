use tensorbridge::Tensor;

struct Pose {
    _x: f32,
}

#[derive(Tensor)]
struct Scene {
    pose: Pose,
    id: u64,
}

fn read(scene: &SceneRef) -> u64 {
    scene.id()
}


fn main() {
    let _ = read;
}
