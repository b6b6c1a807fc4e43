use tensorbridge::Tensor;

type Stamp = u64;
type Row = [f32; 4];

#[derive(Tensor)]
struct Image {
    stamp: Stamp,
    row: Row,
}

fn write(image: &mut ImageMut) {
    image.stamp_mut()[0] = 1;
    image.set_row([0.0; 4]);
}


fn main() {
    let _ = write;
}
