use tensorbridge::Tensor;

mod files {
    pub struct Handle(pub u32);

    impl Drop for Handle {
        fn drop(&mut self) {}
    }
}

#[derive(Tensor)]
struct Image {
    file: files::Handle,
}

fn main() {}
