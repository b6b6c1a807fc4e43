use tensorbridge::Tensor;

use tensorbridge::view::Owned;

#[derive(Tensor)]
struct Image {
    id: u64,
}

/// Taking a view out, to put another in its place, would leave it without its memory.
fn replace<T>(place: &mut T, new: T) -> T {
    std::mem::replace(place, new)
}

fn main() {
    let mut image = Owned::<Image>::zeroed();
    image.set_id(1);
    let _ = replace::<ImageMut>;
}
