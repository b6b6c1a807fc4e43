use tensorbridge::Tensor;

#[derive(Tensor)]
#[tensor(dims(lambda = ..=4))]
struct Image {
    class: u64,
    __doc__: u64,
    tb: u8,
    größe: f32,
    #[tensor(rename = "from")]
    origin: f32,
    #[tensor(shape = [lambda])]
    x: [f32; 4],
}

fn main() {}
