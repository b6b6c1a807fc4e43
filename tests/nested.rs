//! Records within records, seen through owned records and through a channel.

use std::time::Duration;

use tensorbridge::schema::{DType, Dim, Extent, Field, Presence, Schema, Shape};
use tensorbridge::view::{Owned, Record};
use tensorbridge::{Channel, Error, Receiver, Sender, Tensor};

/// Records that another crate could have.
mod geometry {
    use tensorbridge::Tensor;

    /// Where something is.
    #[derive(Tensor)]
    #[tensor(name = "geometry.pose", dims(points = 1..=8))]
    pub(crate) struct Pose {
        /// In metres.
        #[tensor(unit = "m")]
        position: [f32; 3],
        #[tensor(shape = [points, 2], optional, pad = -1)]
        outline: [f32; 16],
    }
}

use geometry::Pose;

/// How sure something is.
#[derive(Tensor)]
#[tensor(dims(n = ..=4))]
struct Belief {
    weight: f64,
    #[tensor(optional)]
    rank: i16,
    #[tensor(shape = [n])]
    votes: [u8; 4],
}

/// Something that was seen.
#[derive(Tensor)]
struct Sighting {
    /// Where.
    #[tensor(nested)]
    pose: Pose,
    #[tensor(nested, optional)]
    belief: Belief,
    stamp: u64,
}

#[derive(Tensor)]
#[tensor(name = "vision.scene", dims(n = 1..=2))]
struct Scene {
    id: u64,
    #[tensor(nested)]
    first: Sighting,
    #[tensor(shape = [n])]
    weights: [f32; 2],
    #[tensor(nested, optional, rename = "last")]
    second: geometry::Pose,
}

#[test]
fn the_schema_has_the_fields_of_nested_records_under_dotted_names() {
    let field = |name: &'static str, dtype, extents: &[Extent]| Field::new(name, dtype, Shape::new(extents));
    let outline = [Extent::Dim(1), Extent::Fixed(2)];
    let expected = Schema::new(
        "vision.scene",
        0,
        "",
        vec![
            Dim::new("n", 1, 2),
            Dim::new("first.pose.points", 1, 8),
            Dim::new("first.belief.n", 0, 4),
            Dim::new("last.points", 1, 8),
        ],
        vec![
            field("id", DType::U64, &[]),
            field("first.pose.position", DType::F32, &[Extent::Fixed(3)]).described("m", "In metres."),
            field("first.pose.outline", DType::F32, &outline)
                .optional()
                .with_pad(tensorbridge::schema::Pad::Float(-1.0)),
            field("first.belief.weight", DType::F64, &[]).with_presence(Presence::RequiredIn(2)),
            field("first.belief.rank", DType::I16, &[]).optional(),
            field("first.belief.votes", DType::U8, &[Extent::Dim(2)]).with_presence(Presence::RequiredIn(2)),
            field("first.stamp", DType::U64, &[]),
            field("weights", DType::F32, &[Extent::Dim(0)]),
            field("last.position", DType::F32, &[Extent::Fixed(3)])
                .described("m", "In metres.")
                .with_presence(Presence::RequiredIn(1)),
            field("last.outline", DType::F32, &[Extent::Dim(3), Extent::Fixed(2)])
                .optional()
                .with_pad(tensorbridge::schema::Pad::Float(-1.0)),
        ],
    );
    assert_eq!(Scene::SCHEMA, &expected.unwrap());
    assert_eq!(Schema::decode(&Scene::SCHEMA.encode()).as_ref(), Ok(Scene::SCHEMA));
}

#[test]
fn nested_fields_are_written_and_read() {
    let mut scene = Owned::<Scene>::zeroed();
    scene.set_id(1);
    scene.first_mut().pose_mut().position_mut()[2] = 3.0;
    scene.first_mut().set_stamp(4);
    scene.set_n(1).unwrap();
    scene.weights_mut()[0] = 5.0;
    assert_eq!((scene.first().pose().position(), scene.first().stamp()), (&[0.0, 0.0, 3.0][..], 4));
    assert_eq!((scene.id(), scene.weights()), (1, &[5.0][..]));
    assert!(scene.check_complete().is_ok());
    let position = scene.first().pose().position_array();
    assert_eq!((position.len(), position[2]), (3, 3.0));
}

#[test]
fn a_function_can_take_the_view_of_a_nested_record() {
    fn lift(pose: &mut geometry::PoseMut) {
        pose.position_mut()[2] += 1.0;
    }
    fn height(pose: &geometry::PoseRef) -> f32 {
        pose.position()[2]
    }
    let mut scene = Owned::<Scene>::zeroed();
    lift(scene.first_mut().pose_mut());
    lift(scene.second_mut());
    assert_eq!((height(scene.first().pose()), scene.second().map(height)), (1.0, Some(1.0)));
}

#[test]
fn every_nested_field_has_bytes_of_its_own() {
    let mut scene = Owned::<Scene>::zeroed();
    scene.first_mut().pose_mut().position_mut().fill(f32::from_bits(0x0101_0101));
    scene.second_mut().position_mut().fill(f32::from_bits(0x0202_0202));
    scene.first_mut().belief_mut().set_rank(0x0303);
    let bytes = scene.as_bytes();
    let offset = |name| Scene::SCHEMA.record_offset(Scene::SCHEMA.field_index(name).unwrap()).unwrap();
    assert_eq!(bytes[offset("first.pose.position")..][..13], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0]);
    assert_eq!(bytes[offset("last.position")..][..13], [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0]);
    assert_eq!(bytes[offset("first.belief.rank")..][..3], [3, 3, 0]);
    assert_eq!(bytes.iter().filter(|byte| **byte != 0).count(), 12 + 12 + 2);
    assert_eq!(bytes.len(), Scene::SCHEMA.record_offset(10).unwrap());
}

#[test]
fn an_optional_nested_record_is_there_when_one_of_its_fields_is() {
    let mut scene = Owned::<Scene>::zeroed();
    assert!(scene.second().is_none() && scene.first().belief().is_none());
    scene.first_mut().belief_mut().set_rank(7);
    assert_eq!(scene.first().belief().and_then(|belief| belief.rank()), Some(7));
    assert!(scene.second().is_none());
}

#[test]
fn an_optional_nested_record_cannot_be_sent_in_part() {
    let mut scene = complete();
    assert!(scene.check_complete().is_ok());
    scene.first_mut().belief_mut().set_rank(7);
    let error = scene.check_complete().unwrap_err();
    assert!(matches!(&error, Error::MissingField { field, .. } if field == "first.belief.weight"), "{error}");
    scene.first_mut().belief_mut().set_weight(0.5);
    scene.first_mut().belief_mut().set_n(2).unwrap();
    scene.first_mut().belief_mut().votes_mut().fill(1);
    assert!(scene.check_complete().is_ok());
}

#[test]
fn lengths_of_a_nested_record_are_its_own() {
    let mut scene = complete();
    scene.first_mut().pose_mut().set_points(3).unwrap();
    scene.second_mut().set_points(5).unwrap();
    assert_eq!(scene.first_mut().pose_mut().outline_mut().len(), 6);
    assert_eq!(scene.second_mut().outline_array_mut().shape(), [5, 2]);
    assert_eq!((scene.first().pose().points(), scene.second().unwrap().points()), (Some(3), Some(5)));
    scene.first_mut().pose_mut().set_points(4).unwrap();
    assert_eq!(scene.first().pose().outline(), None);
    let error = scene.second_mut().set_points(9).unwrap_err();
    assert!(matches!(error, Error::DimOutOfRange { found: 9, max: 8, .. }));
}

#[test]
fn debug_shows_nested_fields() {
    let mut scene = Owned::<Scene>::zeroed();
    scene.second_mut().position_mut().fill(0.0);
    let text = format!("{scene:?}");
    assert!(
        text.contains("first.pose.position: absent") && text.contains("last.position: present"),
        "{text}"
    );
    let pose = format!("{:?}", scene.second().unwrap());
    assert_eq!(pose, "geometry.pose { points: None, position: present, outline: absent }");
}

/// With all that is required.
fn complete() -> Owned<Scene> {
    let mut scene = Owned::<Scene>::zeroed();
    fill(&mut scene);
    scene
}

fn fill(scene: &mut SceneMut) {
    scene.set_id(1);
    scene.first_mut().pose_mut().position_mut().copy_from_slice(&[1.0, 2.0, 3.0]);
    scene.first_mut().set_stamp(4);
    scene.set_n(2).unwrap();
    scene.weights_mut().copy_from_slice(&[5.0, 6.0]);
}

#[test]
fn nested_records_travel_in_their_columns() {
    let name = format!("nested.p{}", std::process::id());
    let _channel = Channel::<Scene>::builder(&name).slots(4).create().unwrap();
    let sender = Sender::<Scene>::builder(&name).connect().unwrap();
    let receiver = Receiver::<Scene>::builder(&name).timeout(Duration::from_secs(10)).connect().unwrap();
    let mut loan = sender.loan().unwrap();
    fill(&mut loan);
    loan.second_mut().position_mut().fill(7.0);
    loan.second_mut().set_points(2).unwrap();
    loan.second_mut().outline_mut().copy_from_slice(&[1.0, 2.0, 3.0, 4.0]);
    loan.send().unwrap();
    let scene = receiver.receive().unwrap();
    assert_eq!((scene.id(), scene.weights(), scene.first().stamp()), (1, &[5.0, 6.0][..], 4));
    assert_eq!(scene.first().pose().position(), [1.0, 2.0, 3.0]);
    assert!(scene.first().belief().is_none() && scene.first().pose().outline().is_none());
    let second = scene.second().unwrap();
    assert_eq!(
        (second.position(), second.outline(), second.points()),
        (&[7.0; 3][..], Some(&[1.0, 2.0, 3.0, 4.0][..]), Some(2))
    );
}

#[test]
fn a_run_has_the_nested_records_of_each_of_its_records() {
    let name = format!("nested.run.p{}", std::process::id());
    let _channel = Channel::<Scene>::builder(&name).slots(4).create().unwrap();
    let sender = Sender::<Scene>::builder(&name).connect().unwrap();
    let receiver = Receiver::<Scene>::builder(&name).timeout(Duration::from_secs(10)).connect().unwrap();
    for number in [1.0, 2.0] {
        let mut loan = sender.loan().unwrap();
        fill(&mut loan);
        loan.first_mut().pose_mut().position_mut().fill(number);
        if number == 2.0 {
            loan.second_mut().position_mut().fill(number);
        }
        loan.send().unwrap();
    }
    let run = receiver.receive_many(4).unwrap();
    let positions: Vec<f32> = run.iter().map(|scene| scene.first().pose().position()[1]).collect();
    assert_eq!((positions, run.id()), (vec![1.0, 2.0], &[1, 1][..]));
    assert_eq!(run.iter().map(|scene| scene.second().is_some()).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn the_fields_of_nested_records_of_a_run_are_one_array_each() {
    let name = format!("nested.columns.p{}", std::process::id());
    let _channel = Channel::<Scene>::builder(&name).slots(4).ring_order(true).create().unwrap();
    let sender = Sender::<Scene>::builder(&name).connect().unwrap();
    let receiver = Receiver::<Scene>::builder(&name).timeout(Duration::from_secs(10)).connect().unwrap();
    for number in [1.0, 2.0, 3.0] {
        let mut loan = sender.loan().unwrap();
        fill(&mut loan);
        loan.first_mut().pose_mut().position_mut().fill(number);
        if number == 2.0 {
            loan.second_mut().position_mut().fill(number);
            loan.second_mut().set_points(1).unwrap();
            loan.second_mut().outline_mut().fill(number);
        }
        loan.send().unwrap();
    }
    let mut run = receiver.receive_many(3).unwrap();
    assert_eq!(run.len(), 3);
    let positions = run.first().pose().position();
    assert_eq!(positions, [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0]);
    assert_eq!(positions.as_ptr(), run[0].first().pose().position().as_ptr());
    assert_eq!(run.first().pose().position_array().shape(), [3, 3]);
    let error = run.second().unwrap_err();
    assert!(
        matches!(&error, Error::PartlyPresent { field, absent: 2, records: 3 } if field == "last"),
        "{error}"
    );
    assert!(run.second_mut().outline_array().is_err());
    let before = run.filled_bytes();
    run.second_mut().fill_outline(9.0);
    assert!(run.filled_bytes() > before);
    let outlines = run.second_mut().outline_array().unwrap().unwrap();
    assert_eq!(outlines.shape(), [3, 1, 2]);
    assert_eq!(outlines.iter().copied().collect::<Vec<_>>(), [9.0, 9.0, 2.0, 2.0, 9.0, 9.0]);
    drop(run);

    for _ in 0..2 {
        let mut loan = sender.loan().unwrap();
        fill(&mut loan);
        loan.send().unwrap();
    }
    assert!(receiver.receive_many(2).unwrap().second().unwrap().is_none());
}

#[test]
fn a_part_that_is_missing_is_named_by_its_whole_name() {
    let name = format!("nested.missing.p{}", std::process::id());
    let _channel = Channel::<Scene>::builder(&name).slots(2).create().unwrap();
    let sender = Sender::<Scene>::builder(&name).connect().unwrap();
    let mut loan = sender.loan().unwrap();
    fill(&mut loan);
    loan.second_mut().set_points(1).unwrap();
    loan.second_mut().outline_mut().fill(0.0);
    let error = loan.send().unwrap_err();
    assert!(
        matches!(error.error(), Error::MissingField { field, .. } if field == "last.position"),
        "{error}"
    );
    let mut loan = error.into_loan().unwrap();
    loan.second_mut().position_mut().fill(0.0);
    loan.send().unwrap();
}
