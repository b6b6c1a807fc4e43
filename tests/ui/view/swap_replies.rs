use tensorbridge::{RequestRun, Tensor};

#[derive(Tensor)]
struct Image {
    id: u64,
}

/// Exchanging the replies of two runs, or their views, would part each from the memory it belongs to.
fn swap(a: &mut RequestRun<Image, Image>, b: &mut RequestRun<Image, Image>) {
    let (a, b) = (a.replies_mut(), b.replies_mut());
    std::mem::swap(&mut **a, &mut **b);
    std::mem::swap(a, b);
}

fn main() {}
