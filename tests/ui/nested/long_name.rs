use tensorbridge::Tensor;

#[derive(Tensor)]
struct Pose {
    position_of_the_centre_of_mass: [f32; 3],
}

#[derive(Tensor)]
struct Scene {
    #[tensor(nested)]
    pose_of_the_vehicle_in_front_of_us: Pose,
    id: u64,
}

fn main() {}
