use tensorbridge::Tensor;

#[derive(Tensor)]
#[tensor(dims(n = ..=4))]
struct Image {
    #[tensor(shape = [n])]
    x: [f32; 4],
    x_mut: u8,
    id: u64,
    set_id: u64,
    n: u8,
}

fn main() {}
