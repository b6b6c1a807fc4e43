use tensorbridge::Tensor;

#[derive(Tensor)]
struct Node {
    #[tensor(nested)]
    next: Node,
    id: u64,
}

fn read(node: &NodeRef) -> u64 {
    node.id()
}

fn main() {
    let _ = read;
}
