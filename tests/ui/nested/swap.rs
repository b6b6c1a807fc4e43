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
}

/// Exchanging two views would part each from the memory it belongs to.
fn swap<T>(a: &mut T, b: &mut T) {
    std::mem::swap(a, b);
}

fn main() {
    let mut a = Owned::<Scene>::zeroed();
    let mut b = Owned::<Scene>::zeroed();
    swap(a.pose_mut(), b.pose_mut());
}
