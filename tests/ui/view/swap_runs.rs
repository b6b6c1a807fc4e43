use tensorbridge::{ReceivedRun, Tensor};

#[derive(Tensor)]
struct Image {
    id: u64,
}

/// Exchanging two runs' views would part each from the memory it belongs to.
fn swap(a: &mut ReceivedRun<Image>, b: &mut ReceivedRun<Image>) {
    std::mem::swap(&mut **a, &mut **b);
    std::mem::swap(&mut ***a, &mut ***b);
}

fn main() {}
