//! Photos from files.

use image::error::{LimitError, LimitErrorKind};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, RgbImage};
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::path::{Path, PathBuf};

/// The most memory that a photo's pixels may take: a file of a few kilobytes can ask for gigabytes.
pub const MOST_BYTES: u64 = 1 << 29;

/// Why a file is not a photo for the network.
#[derive(Debug, thiserror::Error)]
pub enum PhotoError {
    /// The file could not be opened or read.
    #[error("cannot read the photo {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The content is no JPEG or PNG, or a damaged one.
    #[error("cannot decode the photo {path}: {source}; a JPEG or PNG file is expected")]
    Decode {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        source: ImageError,
    },
}

/// Reads a JPEG or PNG file (whatever its name ends in) as RGB, upright as its EXIF orientation says. Grey
/// becomes three equal channels, 16 bits become 8, transparency is dropped.
///
/// # Errors
/// [`PhotoError`], which names the file.
pub fn open(path: &Path) -> Result<RgbImage, PhotoError> {
    read(path, upright)
}

/// As [`open`], from the content of a file.
///
/// # Errors
/// [`ImageError::Unsupported`] when it is neither JPEG nor PNG, [`ImageError::Limits`] when its pixels would take more than
/// [`MOST_BYTES`], and others when it is damaged.
pub fn decode(content: &[u8]) -> Result<RgbImage, ImageError> {
    let reader = ImageReader::new(Cursor::new(content));
    upright(reader.with_guessed_format().map_err(ImageError::IoError)?)
}

fn upright<R: BufRead + Seek>(reader: ImageReader<R>) -> Result<RgbImage, ImageError> {
    let mut decoder = reader.into_decoder()?;
    if decoder.total_bytes() > MOST_BYTES {
        return Err(ImageError::Limits(LimitError::from_kind(LimitErrorKind::DimensionError)));
    }
    // An orientation that cannot be read is not worth losing the photo for.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image.into_rgb8())
}

/// Whether the file is there and begins as a JPEG or PNG file does. What follows may still be damaged.
///
/// # Errors
/// As [`open`].
pub fn check(path: &Path) -> Result<(), PhotoError> {
    read(path, |reader| reader.into_decoder().map(drop))
}

fn read<T>(
    path: &Path,
    work: impl FnOnce(ImageReader<BufReader<File>>) -> Result<T, ImageError>,
) -> Result<T, PhotoError> {
    let read = |source| PhotoError::Read { path: path.to_owned(), source };
    let reader = ImageReader::open(path).map_err(read)?.with_guessed_format().map_err(read)?;
    work(reader).map_err(|source| match source {
        ImageError::IoError(source) if source.kind() != std::io::ErrorKind::UnexpectedEof => read(source),
        source => PhotoError::Decode { path: path.to_owned(), source },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::jpeg::JpegEncoder;
    use image::{ImageEncoder, Rgb};

    struct TestFile(PathBuf);

    impl TestFile {
        fn new(name: &str, content: &[u8]) -> Self {
            let path = std::env::temp_dir().join(format!("classify-{}-{name}", std::process::id()));
            std::fs::write(&path, content).unwrap();
            Self(path)
        }
    }

    impl Drop for TestFile {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    /// 32 x 16, the left half red and the right half blue.
    fn two_colours() -> RgbImage {
        RgbImage::from_fn(32, 16, |x, _| if x < 16 { Rgb([250, 0, 0]) } else { Rgb([0, 0, 250]) })
    }

    fn jpeg(orientation: Option<u8>) -> Vec<u8> {
        let mut content = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut content, 95);
        if let Some(value) = orientation {
            // A TIFF directory with one entry: tag 0x0112, one SHORT.
            let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
            exif.extend([value, 0, 0, 0, 0, 0, 0, 0]);
            encoder.set_exif_metadata(exif).unwrap();
        }
        encoder.encode_image(&two_colours()).unwrap();
        content
    }

    #[test]
    fn reads_jpeg_by_content_not_by_name() {
        let file = TestFile::new("red-blue.png", &jpeg(None));
        let image = open(&file.0).unwrap();
        assert_eq!(image.dimensions(), (32, 16));
        assert!(image.get_pixel(2, 8)[0] > 200 && image.get_pixel(29, 8)[2] > 200);
    }

    #[test]
    fn turns_a_photo_upright() {
        // 6: the camera was turned; the picture has to be turned by 90 degrees clockwise.
        let file = TestFile::new("turned.jpg", &jpeg(Some(6)));
        let image = open(&file.0).unwrap();
        assert_eq!(image.dimensions(), (16, 32));
        assert!(image.get_pixel(8, 2)[0] > 200, "red was left and is on top now");
    }

    #[test]
    fn reads_a_grey_png_as_three_channels() {
        let grey = image::GrayImage::from_fn(4, 3, |x, y| image::Luma([(10 * x + y) as u8]));
        let mut content = Vec::new();
        image::codecs::png::PngEncoder::new(&mut content)
            .write_image(&grey, 4, 3, image::ExtendedColorType::L8)
            .unwrap();
        let file = TestFile::new("grey", &content);
        assert_eq!(*open(&file.0).unwrap().get_pixel(3, 2), Rgb([32, 32, 32]));
    }

    #[test]
    fn errors_name_the_file() {
        let error = open(Path::new("no/such/photo.jpg")).unwrap_err();
        assert!(matches!(error, PhotoError::Read { .. }));
        assert!(error.to_string().contains("no/such/photo.jpg"), "{error}");
        let text = TestFile::new("text.jpg", b"not a photo");
        let error = open(&text.0).unwrap_err();
        assert!(matches!(error, PhotoError::Decode { .. }), "{error:?}");
        assert!(error.to_string().contains("JPEG or PNG"), "{error}");
    }

    #[test]
    fn a_look_at_the_beginning_finds_the_wrong_files() {
        assert!(matches!(check(Path::new("no/such/photo.jpg")), Err(PhotoError::Read { .. })));
        assert!(matches!(
            check(&TestFile::new("words.jpg", b"not a photo").0),
            Err(PhotoError::Decode { .. })
        ));
        let content = jpeg(None);
        assert!(check(&TestFile::new("whole.jpg", &content).0).is_ok());
    }

    #[test]
    fn a_cut_file_is_an_error_and_no_panic() {
        let mut png = Vec::new();
        image::codecs::png::PngEncoder::new(&mut png)
            .write_image(&two_colours(), 32, 16, image::ExtendedColorType::Rgb8)
            .unwrap();
        for end in [0, 1, 7, 20, png.len() / 2] {
            let file = TestFile::new(&format!("cut-{end}.png"), &png[..end]);
            assert!(matches!(open(&file.0), Err(PhotoError::Decode { .. })), "{end}");
        }
    }
}
