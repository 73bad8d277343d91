//! Pictures as strangers send them: decoded under limits, and of them nothing kept but the pixels,
//! which are written anew. What a camera or an editor wrote into the file (places, names,
//! comments) is gone with the file, and what is served is what was looked at.

use std::io::Cursor;
use std::ops::RangeInclusive;

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, ImageResult, Limits};
use tokio::sync::Semaphore;

use crate::error::AccountError;

/// Bytes of a picture, as it is sent and as it is kept.
pub const BYTES_MAX: usize = 256 << 10;
const SIDE_PX: RangeInclusive<u32> = 16..=1_024;

/// Bytes that a decoder may take: the largest picture has 8 MiB (16 bits a colour).
const DECODER_BYTES_MAX: u64 = 24 << 20;

/// Of 100; above, files grow and nobody sees a difference.
const JPEG_QUALITY: u8 = 85;

/// Pictures that are decoded at once: each takes a processor for a while, and its memory.
static TURNS: Semaphore = Semaphore::const_new(2);

/// Two kinds are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `image/png`
    Png,
    /// `image/jpeg`
    Jpeg,
}

impl Kind {
    /// By the first bytes.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match image::guess_format(bytes) {
            Ok(ImageFormat::Png) => Some(Self::Png),
            Ok(ImageFormat::Jpeg) => Some(Self::Jpeg),
            _ => None,
        }
    }

    /// The content type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
        }
    }

    fn format(self) -> ImageFormat {
        match self {
            Self::Png => ImageFormat::Png,
            Self::Jpeg => ImageFormat::Jpeg,
        }
    }
}

/// The picture's pixels in a file of our own, if `bytes` are one of the kind that `media_type`
/// says. Upright, whatever the file said of how it was held; 8 bits a colour; made smaller where
/// the pixels take more than [`BYTES_MAX`].
///
/// # Errors
/// [`AccountError::PictureType`], [`AccountError::PictureSize`].
pub async fn rewritten(bytes: Bytes, media_type: &str) -> Result<Bytes, AccountError> {
    let kind = Kind::of(&bytes).filter(|kind| kind.media_type() == media_type);
    let kind = kind.filter(|kind| *kind != Kind::Jpeg || has_end(&bytes));
    let kind = kind.ok_or(AccountError::PictureType)?;
    let turn = TURNS.acquire().await.map_err(|_| AccountError::PictureType)?;
    let work = tokio::task::spawn_blocking(move || {
        let written = decoded(kind, &bytes).and_then(|picture| written(kind, picture));
        // Held until here even if the caller has gone: the thread is busy all the same.
        drop(turn);
        written
    });
    // A decoder that panics has met no picture.
    work.await.map_err(|_| AccountError::PictureType)?
}

/// Whether a JPEG goes on to its end. The decoder takes one that was cut off, too, and makes the
/// rest of it grey.
fn has_end(jpeg: &[u8]) -> bool {
    let mut rest = jpeg;
    // Pixels have no marker in them: behind their 0xFF is a zero.
    while let Some(at) = rest.iter().position(|byte| *byte == 0xFF) {
        rest = &rest[at + 1..];
        match rest {
            [0xD9, ..] => return true,
            // Markers that stand alone, and bytes that fill up.
            [0x00 | 0x01 | 0xD0..=0xD8 | 0xFF, ..] => {}
            // A segment, in which anything may be, another picture as well.
            [_, high, low, ..] => {
                let bytes = usize::from(u16::from_be_bytes([*high, *low]));
                rest = rest.get(1 + bytes..).unwrap_or_default();
            }
            _ => return false,
        }
    }
    false
}

fn decoded(kind: Kind, bytes: &[u8]) -> Result<DynamicImage, AccountError> {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(DECODER_BYTES_MAX);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), kind.format());
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|_| AccountError::PictureType)?;
    // Before anything is allocated by it.
    let (width, height) = decoder.dimensions();
    if !SIDE_PX.contains(&width) || !SIDE_PX.contains(&height) {
        return Err(AccountError::PictureSize);
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|_| AccountError::PictureType)?;
    picture.apply_orientation(orientation);
    Ok(if kind == Kind::Png && picture.color().has_alpha() {
        picture.into_rgba8().into()
    } else {
        picture.into_rgb8().into()
    })
}

fn written(kind: Kind, mut picture: DynamicImage) -> Result<Bytes, AccountError> {
    loop {
        let file = encoded(kind, &picture).map_err(|_| AccountError::PictureType)?;
        if file.len() <= BYTES_MAX {
            return Ok(Bytes::from(file));
        }
        // A quarter off each side until it fits; a picture of 256 pixels a side always does.
        picture = picture.thumbnail(picture.width() * 3 / 4, picture.height() * 3 / 4);
    }
}

fn encoded(kind: Kind, picture: &DynamicImage) -> ImageResult<Vec<u8>> {
    let mut file = Vec::new();
    match kind {
        Kind::Png => {
            let (compression, filter) = (CompressionType::Default, FilterType::Adaptive);
            let encoder = PngEncoder::new_with_quality(&mut file, compression, filter);
            picture.write_with_encoder(encoder)?;
        }
        Kind::Jpeg => {
            let encoder = JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY);
            picture.write_with_encoder(encoder)?;
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use image::{ImageEncoder, Rgb, RgbImage};

    use super::*;

    const CANARY: &str = "Exif: taken at my home, 52.5 N 13.4 E";

    fn contains(bytes: &[u8], text: &str) -> bool {
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }

    async fn sent(bytes: &[u8], media_type: &str) -> Result<Bytes, AccountError> {
        rewritten(Bytes::copy_from_slice(bytes), media_type).await
    }

    /// Colours that say where they are.
    fn pixels(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, 7]))
    }

    fn file(kind: Kind, side: u32) -> Vec<u8> {
        encoded(kind, &pixels(side, side).into()).unwrap()
    }

    fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let covered = [&name[..], data].concat();
        let sum = crc32fast::hash(&covered).to_be_bytes();
        [&(data.len() as u32).to_be_bytes()[..], &covered, &sum].concat()
    }

    /// A PNG with chunks of one's own behind the header, and a text behind the end.
    fn png_with(chunks: &[Vec<u8>]) -> Vec<u8> {
        let file = file(Kind::Png, 64);
        let (header, rest) = file.split_at(8 + 25);
        [header, &chunks.concat(), rest, b"hid behind"].concat()
    }

    /// So many zeros, as a PNG compresses them.
    fn deflated_zeros(count: usize) -> Vec<u8> {
        let side = 4_096;
        let rows = count / (3 * side + 1);
        let mut file = Vec::new();
        let zeros = vec![0; side * rows * 3];
        let encoder =
            PngEncoder::new_with_quality(&mut file, CompressionType::Best, FilterType::NoFilter);
        let colour = image::ExtendedColorType::Rgb8;
        encoder.write_image(&zeros, side as u32, rows as u32, colour).unwrap();
        // The data of all IDAT chunks.
        let (mut stream, mut rest) = (Vec::new(), &file[8..]);
        while let Some(length) = rest.first_chunk().map(|length| u32::from_be_bytes(*length)) {
            let end = 8 + length as usize;
            if &rest[4..8] == b"IDAT" {
                stream.extend_from_slice(&rest[8..end]);
            }
            rest = &rest[end + 4..];
        }
        stream
    }

    #[tokio::test]
    async fn of_a_picture_only_the_pixels_are_kept() {
        let text = CANARY.as_bytes();
        let lawful = [
            chunk(b"tEXt", &[b"Comment\0", text].concat()),
            chunk(b"iTXt", &[b"Comment\0\0\0\0\0", text].concat()),
            chunk(b"eXIf", &[b"MM\0\x2a\0\0\0\x08\0\0", text].concat()),
            chunk(b"prIV", text),
        ];
        let kept = sent(&png_with(&lawful), "image/png").await.unwrap();
        assert!(!contains(&kept, CANARY) && !contains(&kept, "hid behind"));
        assert_eq!(sent(&kept, "image/png").await.unwrap(), kept);
        assert_eq!(image::load_from_memory(&kept).unwrap().to_rgb8(), pixels(64, 64));
        // Chunks of the picture that are longer than they should be.
        for (name, lawful) in [
            (b"sRGB", &[0][..]),
            (b"gAMA", &[0, 0, 0xB1, 0x8F]),
            (b"cHRM", &[0; 32]),
            (b"sBIT", &[8, 8, 8]),
            (b"tRNS", &[0; 6]),
            (b"PLTE", &[0; 6]),
        ] {
            let file = png_with(&[chunk(name, &[lawful, text].concat())]);
            let kept = sent(&file, "image/png").await;
            assert!(!kept.is_ok_and(|kept| contains(&kept, CANARY)));
        }
        let jpeg = file(Kind::Jpeg, 64);
        let segment = |marker: u8, data: &[u8]| {
            [&[0xFF, marker][..], &(data.len() as u16 + 2).to_be_bytes(), data].concat()
        };
        let with_texts = [
            &jpeg[..2],
            &segment(0xE1, &[b"Exif\0\0", text].concat()),
            &segment(0xEE, text),
            &segment(0xE2, text),
            &segment(0xFE, text),
            &jpeg[2..],
            text,
        ]
        .concat();
        let kept = sent(&with_texts, "image/jpeg").await.unwrap();
        assert!(!contains(&kept, CANARY) && Kind::of(&kept) == Some(Kind::Jpeg));
    }

    #[tokio::test]
    async fn what_is_no_picture_is_refused() {
        let png = file(Kind::Png, 64);
        assert!(matches!(sent(&png, "image/jpeg").await, Err(AccountError::PictureType)));
        assert!(matches!(sent(b"<svg>", "image/png").await, Err(AccountError::PictureType)));
        // A header without pixels, which the old checker took for a picture.
        let mut header = png[..8 + 25].to_vec();
        header.extend(chunk(b"IDAT", b"pixels"));
        header.extend(chunk(b"IEND", b""));
        assert!(matches!(sent(&header, "image/png").await, Err(AccountError::PictureType)));
        for side in [15, 1_025, 2_000] {
            for kind in [Kind::Png, Kind::Jpeg] {
                let outcome = sent(&file(kind, side), kind.media_type()).await;
                assert!(matches!(outcome, Err(AccountError::PictureSize)), "{side}");
            }
        }
    }

    #[tokio::test]
    async fn a_header_of_sixty_thousand_pixels_is_refused_before_it_is_decoded() {
        for (width, height) in [(60_000, 60_000), (64, 60_000), (60_000, 64), (1 << 30, 1 << 30)] {
            let mut data = [0_u32, 0].map(u32::to_be_bytes).concat();
            data[..4].copy_from_slice(&u32::to_be_bytes(width));
            data[4..].copy_from_slice(&u32::to_be_bytes(height));
            data.extend([8, 6, 0, 0, 0]);
            let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
            // The first header says 64 pixels; a decoder that takes the second meets the bomb.
            let small = &file(Kind::Png, 64)[8..33];
            let large = chunk(b"IHDR", &data);
            for header in [large.clone(), [small, &large].concat()] {
                bytes.truncate(8);
                bytes.extend(&header);
                bytes.extend(chunk(b"IDAT", &deflated_zeros(100_000)));
                bytes.extend(chunk(b"IEND", b""));
                assert!(sent(&bytes, "image/png").await.is_err(), "{width} x {height}");
            }
        }
    }

    #[tokio::test]
    async fn what_inflates_beyond_its_pixels_leaves_pixels_only() {
        let zeros = deflated_zeros(100 << 20);
        assert!(zeros.len() < 200 << 10, "{} bytes", zeros.len());
        let png = file(Kind::Png, 64);
        let header = &png[..8 + 25];
        let surplus = [header, &chunk(b"IDAT", &zeros), &chunk(b"IEND", b"")].concat();
        let profile = [&b"name\0\0"[..], &zeros].concat();
        let text = [&b"Comment\0\0"[..], &zeros].concat();
        for bytes in
            [surplus, png_with(&[chunk(b"iCCP", &profile)]), png_with(&[chunk(b"zTXt", &text)])]
        {
            assert!(bytes.len() <= BYTES_MAX);
            if let Ok(kept) = sent(&bytes, "image/png").await {
                assert!(kept.len() < 20_000, "{} bytes", kept.len());
                assert_eq!(image::load_from_memory(&kept).unwrap().width(), 64);
            }
        }
    }

    #[tokio::test]
    async fn what_has_too_many_bytes_when_written_anew_is_made_smaller() {
        let mut state = 1_u64;
        let noise = RgbImage::from_fn(700, 500, |_, _| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Sixteen colours: a palette of them is small, and the same in full colours is not.
            let of = (state >> 60) as u8;
            Rgb([of.wrapping_mul(37), of.wrapping_mul(91), of.wrapping_mul(53)])
        });
        let kept = written(Kind::Png, noise.into()).unwrap();
        let picture = image::load_from_memory(&kept).unwrap();
        assert!(kept.len() <= BYTES_MAX && picture.width() < 700 && picture.width() > 100);
    }

    #[tokio::test]
    async fn a_picture_that_was_cut_off_is_none() {
        let jpeg = file(Kind::Jpeg, 64);
        // A small picture of the whole, as cameras put one in, has an end of its own.
        let small = file(Kind::Jpeg, 16);
        let head = [&[0xFF, 0xE1][..], &(small.len() as u16 + 2).to_be_bytes(), &small].concat();
        for whole in [jpeg.clone(), [&jpeg[..2], &head, &jpeg[2..]].concat()] {
            assert!(sent(&whole, "image/jpeg").await.is_ok());
            for at in (0..whole.len()).step_by(7).chain([whole.len() - 2, whole.len() - 1]) {
                let cut = sent(&whole[..at], "image/jpeg").await;
                assert!(matches!(cut, Err(AccountError::PictureType)), "{at}");
            }
        }
        let png = file(Kind::Png, 64);
        for at in (0..png.len() - 12).step_by(7) {
            let cut = sent(&png[..at], "image/png").await;
            assert!(matches!(cut, Err(AccountError::PictureType)), "{at}");
        }
    }

    #[tokio::test]
    async fn any_cut_or_changed_byte_ends_in_an_answer() {
        for kind in [Kind::Png, Kind::Jpeg] {
            let whole = file(kind, 24);
            for at in 0..whole.len() {
                drop(sent(&whole[..at], kind.media_type()).await);
                let mut changed = whole.clone();
                changed[at] ^= 0xFF;
                drop(sent(&changed, kind.media_type()).await);
            }
        }
    }
}
