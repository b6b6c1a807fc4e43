use tensorbridge::Tensor;

/// Every error shows, and none because of another: the views exist.
#[derive(Tensor)]
#[tensor(name = "Vision", dims(n = ..=8))]
struct Image {
    #[tensor(shpae = [3, 4])]
    pixels: [f32; 12],
    #[tensor(shape = [n], dtype = f23)]
    weights: [f32; 8],
    names: Vec<u8>,
    #[tensor(optional)]
    count: usize,
    #[tensor(dtype = f64)]
    ratio: f32,
}

fn use_views(image: &mut ImageMut) -> u64 {
    image.pixels_mut().fill(1.0);
    image.set_n(3).unwrap();
    image.names_mut()[0] = image.weights()[2] as u8;
    image.set_ratio(0.5);
    image.count().unwrap()
}


fn main() {
    let _ = use_views;
}
