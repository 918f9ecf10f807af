//! Real JPEG bytes, cheaply: a handful is encoded once, and a comment makes each copy differ.

use std::sync::LazyLock;

use domain::tally::hex;
use jpeg_encoder::{ColorType, Encoder};
use md5::{Digest as _, Md5};

/// Pictures that differ to the eye.
const PICTURES: u16 = 6;
/// How a JPEG file ends (ITU-T T.81, B.1.1.3, EOI).
const END: [u8; 2] = [0xff, 0xd9];
/// A comment segment of sixteen bytes: marker and length (ITU-T T.81, B.2.4.5, COM).
const COMMENT: [u8; 4] = [0xff, 0xfe, 0, 18];

/// An encoded picture without its end, and the MD5 of what is there, so that a copy costs no second digest.
struct Image {
    head: Vec<u8>,
    digest: Md5,
}

/// A picture's file, and the MD5 that names it.
pub(crate) struct Picture {
    pub body: Vec<u8>,
    pub md5: String,
}

static PHOTOS: LazyLock<Vec<Image>> = LazyLock::new(|| encode_all(320, 240));
static THUMBNAILS: LazyLock<Vec<Image>> = LazyLock::new(|| encode_all(256, 256));

/// The photo of that number; each has bytes of its own.
pub(crate) fn photo(number: u128) -> Picture {
    copy(&PHOTOS, number)
}

/// The thumbnail of that number, 256 pixels square.
pub(crate) fn thumbnail(number: u128) -> Picture {
    copy(&THUMBNAILS, number)
}

/// The MD5 of any bytes, as keys carry it.
pub(crate) fn md5_of(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

fn copy(images: &[Image], number: u128) -> Picture {
    let image = &images[usize::try_from(number % u128::from(PICTURES)).expect("a remainder is small")];
    let tail: Vec<u8> = COMMENT.into_iter().chain(number.to_be_bytes()).chain(END).collect();
    let mut digest = image.digest.clone();
    digest.update(&tail);
    Picture { body: [image.head.as_slice(), &tail].concat(), md5: hex(&digest.finalize()) }
}

fn encode_all(width: u16, height: u16) -> Vec<Image> {
    (0..PICTURES).map(|number| encode(width, height, number)).collect()
}

fn encode(width: u16, height: u16, number: u16) -> Image {
    let mut head = Vec::new();
    let pixels = landscape(width, height, number);
    let encoded = Encoder::new(&mut head, 40).encode(&pixels, width, height, ColorType::Rgb);
    encoded.expect("a buffer takes any bytes");
    head.truncate(head.len() - END.len());
    let digest = Md5::new_with_prefix(&head);
    Image { head, digest }
}

/// Sky, a sun, and hills: three bytes a pixel.
fn landscape(width: u16, height: u16, number: u16) -> Vec<u8> {
    let (w, h, n) = (i32::from(width), i32::from(height), i32::from(number));
    let (sun_x, sun_y) = (w * (n + 1) / 7, h / 4);
    let pixel = |x: i32, y: i32| {
        let is_sun = (x - sun_x).pow(2) + (y - sun_y).pow(2) < (h / 10).pow(2);
        let hill = h * 2 / 3 - (x + n * 40) % w / 8 + (x * 3 + n * 90) % w / 10;
        match (is_sun, y > hill) {
            (_, true) => [60 + n * 8, 110 + n * 6, 40],
            (true, _) => [250, 220, 120],
            _ => [90 + y / 4, 150 + y / 4, 230 - n * 10],
        }
    };
    let rows = (0..h).flat_map(|y| (0..w).flat_map(move |x| pixel(x, y)));
    rows.map(|value| u8::try_from(value.clamp(0, 255)).expect("clamped")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_a_jpeg_named_by_its_md5() {
        for picture in [photo(0), photo(7), thumbnail(1_000_000)] {
            assert!(picture.body.starts_with(&[0xff, 0xd8, 0xff]) && picture.body.ends_with(&END));
            assert_eq!(picture.md5, hex(&Md5::digest(&picture.body)));
            assert!((1_000..10_000).contains(&picture.body.len()), "{}", picture.body.len());
        }
    }

    #[test]
    fn every_number_is_a_picture_of_its_own() {
        let mut names: Vec<String> = (0..500).flat_map(|n| [photo(n).md5, thumbnail(n).md5]).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 1_000);
    }
}
