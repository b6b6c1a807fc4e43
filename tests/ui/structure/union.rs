use tensorbridge::Tensor;

#[derive(Tensor)]
union Bits {
    float: f32,
    word: u32,
}

fn main() {}
