use tensorbridge::Tensor;

use tensorbridge::view::Owned;

#[derive(Tensor)]
struct Image {
    id: u64,
}

/// Exchanging two views would part each from the memory it belongs to.
fn swap<T>(a: &mut T, b: &mut T) {
    std::mem::swap(a, b);
}

fn main() {
    let mut a = Owned::<Image>::zeroed();
    let mut b = Owned::<Image>::zeroed();
    swap(&mut *a, &mut *b);
}
