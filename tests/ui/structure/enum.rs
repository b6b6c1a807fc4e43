use tensorbridge::Tensor;

#[derive(Tensor)]
enum Mode {
    Day,
    Night,
}


fn main() {
    let _ = [Mode::Day, Mode::Night];
}
