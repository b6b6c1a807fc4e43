mod inner {
    use tensorbridge::Tensor;

    #[derive(Tensor)]
    struct Pose {
        position: [f32; 3],
    }

    #[derive(Tensor)]
    pub struct Scene {
        #[tensor(nested)]
        pose: Pose,
    }
}

fn main() {}
