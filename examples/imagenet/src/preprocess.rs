//! From a photo to what the network was trained on, as its authors' pipelines in Python do it: scale the short
//! side to 256 with an antialiased bicubic filter, take the centre 224 x 224, divide by 255, subtract ImageNet's
//! mean and divide by its standard deviation.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;
use image::imageops::crop_imm;

/// Height and width of the network's input, in pixels.
pub const SIDE: usize = 224;

/// Elements of the network's input: three planes, red first.
pub const ELEMENTS: usize = 3 * SIDE * SIDE;

/// The short side after scaling, in pixels.
const SHORT_SIDE: u32 = 256;

/// Long side over short side beyond which the ends of a photo are cut off before scaling. They are far from the
/// centre that the network sees, and scaling a photo of 1 x 100000 pixels would take gigabytes.
const LONGEST: u32 = 4;

/// Mean and standard deviation of ImageNet's photos, per channel, for values from 0 to 1.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// Writes the photo into `planes`, which is `[3, 224, 224]` in row-major order. Every element is written.
///
/// # Panics
/// When `planes` has not [`ELEMENTS`] elements, or the photo has no pixels (no decoder makes such a one).
pub fn write_planes(photo: &RgbImage, planes: &mut [f32]) {
    assert_eq!(planes.len(), ELEMENTS, "planes must be [3, 224, 224]");
    assert!(!photo.is_empty(), "a photo has pixels");
    let scaled = scale(photo);
    let width = scaled.width() as usize;
    let left = centre(width);
    let top = centre(scaled.height() as usize);

    for (channel, plane) in planes.chunks_exact_mut(SIDE * SIDE).enumerate() {
        // (x / 255 - mean) / deviation, as one multiplication and one addition.
        let factor = 1.0 / (255.0 * DEVIATION[channel]);
        let offset = -MEAN[channel] / DEVIATION[channel];
        for (y, row) in plane.chunks_exact_mut(SIDE).enumerate() {
            let start = 3 * ((top + y) * width + left) + channel;
            let source = scaled.buffer()[start..].iter().step_by(3);
            for (element, &value) in row.iter_mut().zip(source) {
                *element = f32::from(value).mul_add(factor, offset);
            }
        }
    }
}

/// The photo with its short side at [`SHORT_SIDE`].
fn scale(photo: &RgbImage) -> Image<'static> {
    let (width, height) = photo.dimensions();
    let cut = |long: u32, short: u32| long.min(short.saturating_mul(LONGEST));
    let (cut_width, cut_height) = (cut(width, height), cut(height, width));
    if (cut_width, cut_height) != (width, height) {
        let (left, top) = ((width - cut_width) / 2, (height - cut_height) / 2);
        return scale(&crop_imm(photo, left, top, cut_width, cut_height).to_image());
    }
    let (new_width, new_height) = scaled_size(width, height);
    let source = ImageRef::new(width, height, photo.as_raw(), PixelType::U8x3)
        .expect("an RgbImage holds three bytes a pixel");
    let mut target = Image::new(new_width, new_height, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
    Resizer::new()
        .resize(&source, &mut target, &options)
        .expect("both images are U8x3, and nothing is cropped");
    target
}

/// Width and height after scaling. The long side is rounded down, as torchvision does.
fn scaled_size(width: u32, height: u32) -> (u32, u32) {
    let scaled = |long: u32, short: u32| {
        let exact = u64::from(SHORT_SIDE) * u64::from(long) / u64::from(short.max(1));
        u32::try_from(exact).unwrap_or(u32::MAX)
    };
    if width <= height { (SHORT_SIDE, scaled(height, width)) } else { (scaled(width, height), SHORT_SIDE) }
}

/// Where the middle [`SIDE`] of `length` pixels begins; halves go to the even number, as in Python.
fn centre(length: usize) -> usize {
    let (half, odd) = ((length - SIDE) / 2, (length - SIDE) % 2);
    half + odd * (half % 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn planes_of(photo: &RgbImage) -> Vec<f32> {
        let mut planes = vec![f32::NAN; ELEMENTS];
        write_planes(photo, &mut planes);
        planes
    }

    #[test]
    fn sizes_and_centres_are_torchvisions() {
        assert_eq!(scaled_size(451, 300), (384, 256));
        assert_eq!(scaled_size(300, 451), (256, 384));
        assert_eq!(scaled_size(512, 512), (256, 256));
        assert_eq!(scaled_size(1, 1), (256, 256));
        // round(0.5) = 0, round(1.5) = 2, round(2.5) = 2
        assert_eq!([224, 225, 226, 227, 229].map(centre), [0, 0, 1, 2, 2]);
    }

    #[test]
    fn a_flat_colour_becomes_three_flat_planes() {
        let planes = planes_of(&RgbImage::from_pixel(300, 500, Rgb([255, 128, 0])));
        let expected = [(1.0 - 0.485) / 0.229, (128.0 / 255.0 - 0.456) / 0.224, -0.406 / 0.225];
        for (channel, plane) in planes.chunks(SIDE * SIDE).enumerate() {
            for &value in plane {
                assert!((value - expected[channel]).abs() < 1e-5, "channel {channel}: {value}");
            }
        }
    }

    #[test]
    fn rows_stay_rows_and_the_centre_is_kept() {
        // Without scaling: column x has the value x, so the first of the middle 224 is column 16.
        let planes = planes_of(&RgbImage::from_fn(256, 256, |x, y| Rgb([x as u8, y as u8, 0])));
        let value = |channel: usize, y: usize, x: usize| {
            let element = planes[(channel * SIDE + y) * SIDE + x];
            ((element * DEVIATION[channel] + MEAN[channel]) * 255.0).round() as usize
        };
        assert_eq!((value(0, 0, 0), value(0, 100, 3), value(0, 223, 223)), (16, 19, 239));
        assert_eq!((value(1, 0, 0), value(1, 100, 3), value(1, 223, 223)), (16, 116, 239));
    }

    #[test]
    fn every_shape_of_photo_fills_every_element() {
        for (width, height) in [(1, 1), (1, 5000), (5000, 1), (3, 2), (224, 224), (1023, 767)] {
            let planes = planes_of(&RgbImage::from_pixel(width, height, Rgb([9, 9, 9])));
            assert!(planes.iter().all(|value| value.is_finite()), "{width} x {height}");
        }
    }
}
