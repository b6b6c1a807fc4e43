use tensorbridge::Tensor;

#[derive(Tensor)]
struct Image {
    id: u64,
    x: [[u8; 1 << 40]; 1 << 40],
}

#[derive(Tensor)]
struct Many {
    a: [u8; 1 << 60],
    b: [u8; 1 << 60],
    c: [u8; 1 << 60],
    d: [u8; 1 << 60],
    e: [u8; 1 << 60],
    f: [u8; 1 << 60],
    g: [u8; 1 << 60],
    h: [u8; 1 << 60],
}

fn main() {}
