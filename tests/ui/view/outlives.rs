use tensorbridge::Tensor;

use tensorbridge::view::Owned;

#[derive(Tensor)]
struct Image {
    id: u64,
}

fn main() {
    let image = Owned::<Image>::zeroed();
    let view: &ImageRef = &image;
    drop(image);
    let _ = view.id();
}
