//! A logo as e-mails show it, made of whatever picture was uploaded.
//!
//! It is decoded and written anew, so that nothing of the upload is served but what can be seen. A picture
//! says itself how large it is, so that is looked at before any of it is unpacked.

use std::io::Cursor;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits};
use sha2::{Digest as _, Sha256};

/// The largest upload, in bytes.
pub const LARGEST: usize = 200 * 1024;

/// The longest side of an upload, in pixels.
const LONGEST_SIDE: u32 = 2000;

/// What decoding may take, in bytes.
const MEMORY: u64 = 32 << 20;

/// Twice of what is shown, for screens with two pixels in the place of one.
const WIDEST: u32 = 480;
const HIGHEST: u32 = 128;

/// A picture that can be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logo {
    pub png: Vec<u8>,
    /// SHA-256 of `png`, as hexadecimal digits.
    pub hash: String,
    pub width: u32,
    pub height: u32,
}

/// Why a file is no logo, in words that say what to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogoProblem {
    #[error("choose a picture first")]
    Empty,
    #[error("the file is too large; take one of at most 200 KB")]
    TooLarge,
    #[error("this is no PNG or JPEG picture; save it as one of these")]
    Format,
    #[error("the picture has more than 2,000 pixels on a side; make it smaller")]
    TooManyPixels,
    #[error("the picture cannot be read; save it once more as PNG")]
    Unreadable,
}

/// Reads an upload. Blocks for some milliseconds.
///
/// # Errors
///
/// What to choose instead.
pub fn read(upload: &[u8]) -> Result<Logo, LogoProblem> {
    if upload.is_empty() {
        return Err(LogoProblem::Empty);
    }
    if upload.len() > LARGEST {
        return Err(LogoProblem::TooLarge);
    }
    let picture = decode(upload)?;
    let (width, height) = (picture.width(), picture.height());
    let picture = if width > WIDEST || height > HIGHEST {
        picture.thumbnail(WIDEST, HIGHEST)
    } else {
        picture
    };
    let picture = DynamicImage::ImageRgba8(picture.into_rgba8());
    let mut png = Vec::new();
    let encoder =
        PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::Adaptive);
    picture
        .write_with_encoder(encoder)
        .map_err(|_| LogoProblem::Unreadable)?;
    Ok(Logo {
        hash: hex::encode(Sha256::digest(&png)),
        width: picture.width(),
        height: picture.height(),
        png,
    })
}

fn decode(upload: &[u8]) -> Result<DynamicImage, LogoProblem> {
    let reader = ImageReader::new(Cursor::new(upload)).with_guessed_format();
    let mut reader = reader.map_err(|_| LogoProblem::Format)?;
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)) {
        return Err(LogoProblem::Format);
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|_| LogoProblem::Unreadable)?;
    let (width, height) = decoder.dimensions();
    if width.max(height) > LONGEST_SIDE {
        return Err(LogoProblem::TooManyPixels);
    }
    let turned = decoder.orientation();
    let decoded = DynamicImage::from_decoder(decoder);
    let mut picture = decoded.map_err(|_| LogoProblem::Unreadable)?;
    if let Ok(turned) = turned {
        picture.apply_orientation(turned);
    }
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use image::{Rgba, RgbaImage};
    use proptest::prelude::*;

    use super::*;

    fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let image = RgbaImage::from_pixel(width, height, Rgba([11, 107, 91, 255]));
        let image = DynamicImage::ImageRgba8(image);
        let image = match format {
            ImageFormat::Jpeg => DynamicImage::ImageRgb8(image.into_rgb8()),
            _ => image,
        };
        let mut bytes = Vec::new();
        image
            .write_to(&mut Cursor::new(&mut bytes), format)
            .unwrap();
        bytes
    }

    #[test]
    fn a_picture_is_written_anew_as_png_and_no_larger_than_it_is_shown() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let logo = read(&picture(1000, 200, format)).unwrap();
            assert_eq!((logo.width, logo.height), (480, 96));
            assert!(logo.png.starts_with(b"\x89PNG\r\n\x1a\n"));
            assert_eq!(logo.hash.len(), 64);
        }
        let small = read(&picture(40, 20, ImageFormat::Png)).unwrap();
        assert_eq!((small.width, small.height), (40, 20));
        let again = read(&small.png).unwrap();
        assert_eq!(
            again.hash, small.hash,
            "the same picture has the same address"
        );
    }

    #[test]
    fn what_stands_behind_the_picture_is_not_served() {
        let mut upload = picture(40, 20, ImageFormat::Png);
        upload.extend(b"<script>alert(1)</script>");
        let logo = read(&upload).unwrap();
        assert!(!logo.png.windows(7).any(|w| w == b"<script"));
    }

    #[test]
    fn what_is_no_picture_of_ours_is_refused_in_words() {
        assert_eq!(read(b""), Err(LogoProblem::Empty));
        assert_eq!(read(&[0; LARGEST + 1]), Err(LogoProblem::TooLarge));
        assert_eq!(read(b"<svg onload='x'/>"), Err(LogoProblem::Format));
        assert_eq!(read(b"GIF89a\x01\0\x01\0"), Err(LogoProblem::Format));
        let cut = &picture(40, 20, ImageFormat::Png)[..40];
        assert_eq!(read(cut), Err(LogoProblem::Unreadable));
    }

    #[test]
    fn a_bomb_is_known_by_what_it_says_of_itself() {
        // 65,535 pixels on each side, said by the head of a small file.
        let mut bomb = picture(1, 1, ImageFormat::Png);
        bomb[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
        let crc = crc(&bomb[12..29]);
        bomb[29..33].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(read(&bomb), Err(LogoProblem::TooManyPixels));
        let wide = picture(2001, 1, ImageFormat::Png);
        assert_eq!(read(&wide), Err(LogoProblem::TooManyPixels));
    }

    fn crc(bytes: &[u8]) -> u32 {
        let mut crc = u32::MAX;
        for byte in bytes {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 {
                    (crc >> 1) ^ 0xedb8_8320
                } else {
                    crc >> 1
                };
            }
        }
        !crc
    }

    proptest! {
        #[test]
        fn no_bytes_panic(noise in proptest::collection::vec(any::<u8>(), 0..300), at in 0..100_usize) {
            let _ = read(&noise);
            let mut damaged = picture(8, 8, ImageFormat::Png);
            for (n, byte) in noise.iter().take(8).enumerate() {
                let place = (at + n) % damaged.len();
                damaged[place] ^= byte;
            }
            let _ = read(&damaged);
        }
    }
}
