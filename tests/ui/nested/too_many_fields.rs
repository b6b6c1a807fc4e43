use tensorbridge::Tensor;

#[derive(Tensor)]
struct Pose {
    x: f32,
    y: f32,
    z: f32,
}

#[derive(Tensor)]
struct Row {
    #[tensor(nested)]
    a: Pose,
    #[tensor(nested)]
    b: Pose,
    #[tensor(nested)]
    c: Pose,
    #[tensor(nested)]
    d: Pose,
    #[tensor(nested)]
    e: Pose,
    #[tensor(nested)]
    f: Pose,
    #[tensor(nested)]
    g: Pose,
}

#[derive(Tensor)]
struct Table {
    #[tensor(nested)]
    a: Row,
    #[tensor(nested)]
    b: Row,
    #[tensor(nested)]
    c: Row,
    id: u64,
    stamp: u64,
    #[tensor(nested)]
    d: Row,
}

fn main() {}
