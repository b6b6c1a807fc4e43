use tensorbridge::Tensor;

type Stamp = u64;
type Row = [f32; 4];

#[derive(Tensor)]
struct Image {
    stamp: Stamp,
    line: Row,
}

fn write(image: &mut ImageMut) {
    image.stamp_mut()[0] = 1;
    image.set_line([0.0; 4]);
}


fn main() {
    let _ = write;
}
