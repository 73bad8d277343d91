//! Pictures as strangers send them: what kind, how large, and without what a camera or an editor
//! wrote into them (places, names, comments): of a picture only the picture is kept.

use bytes::Bytes;
use imagesize::ImageType;

use crate::error::AccountError;

/// Bytes of a picture.
pub const BYTES_MAX: usize = 256 << 10;
const SIDE_PX: std::ops::RangeInclusive<usize> = 16..=1_024;

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// What of a PNG is the picture, and how its colours are meant.
const PNG_CHUNKS: &[&[u8]] =
    &[b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"IDAT", b"IEND"];

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
        match imagesize::image_type(bytes) {
            Ok(ImageType::Png) => Some(Self::Png),
            Ok(ImageType::Jpeg) => Some(Self::Jpeg),
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
}

/// The picture alone, if `bytes` are one of the kind that `media_type` says.
///
/// # Errors
/// [`AccountError::PictureType`], [`AccountError::PictureSize`].
pub fn cleaned(bytes: &[u8], media_type: &str) -> Result<Bytes, AccountError> {
    let kind = Kind::of(bytes).filter(|kind| kind.media_type() == media_type);
    let kind = kind.ok_or(AccountError::PictureType)?;
    let size = imagesize::blob_size(bytes).map_err(|_| AccountError::PictureType)?;
    if !SIDE_PX.contains(&size.width) || !SIDE_PX.contains(&size.height) {
        return Err(AccountError::PictureSize);
    }
    let cleaned = match kind {
        Kind::Png => cleaned_png(bytes),
        Kind::Jpeg => cleaned_jpeg(bytes),
    };
    cleaned.map(Bytes::from).ok_or(AccountError::PictureType)
}

/// Chunks of length, name, data, checksum, up to `IEND`; what follows it is dropped.
fn cleaned_png(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut rest = bytes.strip_prefix(PNG_SIGNATURE)?;
    let mut out = PNG_SIGNATURE.to_vec();
    loop {
        let data_bytes = u32::from_be_bytes(*rest.first_chunk()?) as usize;
        let chunk = rest.get(..data_bytes.checked_add(12)?)?;
        let name = &chunk[4..8];
        if PNG_CHUNKS.contains(&name) {
            out.extend_from_slice(chunk);
        }
        if name == b"IEND" {
            return Some(out);
        }
        rest = &rest[chunk.len()..];
    }
}

/// Segments of marker and length up to the first scan, which is kept with all that follows until
/// the end marker. Dropped: comments and the applications' segments, but JFIF's and Adobe's, which
/// say how colours are meant.
fn cleaned_jpeg(bytes: &[u8]) -> Option<Vec<u8>> {
    const SCAN: u8 = 0xDA;
    const COMMENT: u8 = 0xFE;
    let mut rest = bytes.strip_prefix(b"\xFF\xD8")?;
    let mut out = b"\xFF\xD8".to_vec();
    loop {
        let [0xFF, marker] = *rest.first_chunk()? else { return None };
        if marker == SCAN {
            let end = rest.windows(2).rposition(|pair| pair == b"\xFF\xD9")?;
            // A second scan's header may hide between; segments with texts may, too.
            return (!has_texts(&rest[..end])).then(|| {
                out.extend_from_slice(&rest[..end + 2]);
                out
            });
        }
        let length = u16::from_be_bytes(*rest.get(2..)?.first_chunk()?) as usize;
        let segment = rest.get(..length.checked_add(2)?).filter(|_| length >= 2)?;
        let is_text = marker == COMMENT || matches!(marker, 0xE1..=0xED | 0xEF);
        if !is_text {
            out.extend_from_slice(segment);
        }
        rest = &rest[segment.len()..];
    }
}

/// Within scans, 0xFF is followed by 0 or a restart marker; a progressive picture has tables and
/// further scans there, but no comments and no application's segments.
fn has_texts(scans: &[u8]) -> bool {
    scans.windows(2).any(|pair| pair[0] == 0xFF && matches!(pair[1], 0xE0..=0xEF | 0xFE | 0xD8))
}

#[cfg(test)]
pub(crate) mod samples {
    /// A PNG of so many pixels a side with this text in it. Its checksums are zeros: browsers
    /// care, we do not.
    pub fn png(side: u32, text: &str) -> Vec<u8> {
        let side = side.to_be_bytes();
        let header = [&side[..], &side, &[8, 2, 0, 0, 0]].concat();
        let mut bytes = super::PNG_SIGNATURE.to_vec();
        for (name, data) in [
            (b"IHDR", &header[..]),
            (b"tEXt", text.as_bytes()),
            (b"IDAT", b"pixels"),
            (b"IEND", b""),
        ] {
            bytes.extend((data.len() as u32).to_be_bytes());
            bytes.extend(name);
            bytes.extend(data);
            bytes.extend([0; 4]);
        }
        bytes
    }

    /// A JPEG likewise.
    pub fn jpeg(side: u16, text: &str) -> Vec<u8> {
        let [high, low] = side.to_be_bytes();
        let frame = [8, high, low, high, low, 1, 1, 0x11, 0];
        let segments: [(u8, &[u8]); 4] =
            [(0xE0, b"JFIF\0"), (0xE1, text.as_bytes()), (0xFE, text.as_bytes()), (0xC0, &frame)];
        let mut bytes = b"\xFF\xD8".to_vec();
        for (marker, data) in segments {
            bytes.extend([0xFF, marker]);
            bytes.extend((data.len() as u16 + 2).to_be_bytes());
            bytes.extend(data);
        }
        bytes.extend(b"\xFF\xDA\x00\x02scan\xFF\x00scan\xFF\xD9 and what somebody hid behind it");
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "Exif: taken at my home, 52.5 N 13.4 E";

    fn contains(bytes: &[u8], text: &str) -> bool {
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }

    #[test]
    fn of_a_picture_only_the_picture_is_kept() {
        for (bytes, media_type, kept) in [
            (samples::png(64, CANARY), "image/png", "pixels"),
            (samples::jpeg(64, CANARY), "image/jpeg", "scan"),
        ] {
            assert!(contains(&bytes, CANARY));
            let cleaned = cleaned(&bytes, media_type).unwrap();
            assert!(!contains(&cleaned, CANARY) && contains(&cleaned, kept), "{media_type}");
            assert!(!contains(&cleaned, "hid behind"));
            assert_eq!(super::cleaned(&cleaned, media_type).unwrap(), cleaned);
        }
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let png = samples::png(64, "");
        assert!(matches!(cleaned(&png, "image/jpeg"), Err(AccountError::PictureType)));
        assert!(matches!(cleaned(b"<svg>", "image/png"), Err(AccountError::PictureType)));
        for side in [15, 1_025, u32::MAX] {
            let outcome = cleaned(&samples::png(side, ""), "image/png");
            assert!(outcome.is_err(), "{side}");
        }
    }

    #[test]
    fn any_cut_or_changed_byte_ends_in_an_answer() {
        for whole in [samples::png(64, "text"), samples::jpeg(64, "text")] {
            for at in 0..whole.len() {
                for media_type in ["image/png", "image/jpeg"] {
                    drop(cleaned(&whole[..at], media_type));
                    let mut changed = whole.clone();
                    changed[at] ^= 0xFF;
                    drop(cleaned(&changed, media_type));
                }
            }
        }
    }
}
