use tensorbridge::Tensor;

#[derive(Tensor)]
#[tensor(dims(seq = ..=16))]
struct Image {
    #[tensor(shape = [3, 223, 224])]
    pixels: [f32; 3 * 224 * 224],
    #[tensor(shape = [10])]
    logits: [f32; 1000],
    #[tensor(shape = [seq, 8])]
    embedding: [f32; 100],
    #[tensor(shape = [1])]
    id: u64,
    #[tensor(shape = [2, 3, 4])]
    grid: [[f32; 6]; 4],
}

fn main() {}
