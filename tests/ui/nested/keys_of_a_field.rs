use tensorbridge::Tensor;

#[derive(Tensor)]
struct Pose {
    position: [f32; 3],
}

#[derive(Tensor)]
struct Scene {
    #[tensor(nested, dtype = f32)]
    a: Pose,
    #[tensor(nested, shape = [3])]
    b: Pose,
    #[tensor(nested, align = 64)]
    c: Pose,
    #[tensor(nested, pad = 0)]
    d: Pose,
    #[tensor(nested, unit = "m")]
    e: Pose,
    #[tensor(nested = true)]
    f: Pose,
}

fn read(scene: &SceneRef) -> &[f32] {
    scene.e().position()
}

fn main() {
    let _ = read;
}
