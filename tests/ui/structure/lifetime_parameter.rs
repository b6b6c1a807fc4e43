use tensorbridge::Tensor;

#[derive(Tensor)]
struct Image<'a> {
    pixels: [f32; 12],
    #[tensor(skip)]
    source: std::marker::PhantomData<&'a ()>,
}

fn main() {}
