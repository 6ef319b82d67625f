//! LZ4 frames, undone piece by piece.
//!
//! A frame's blocks are decompressed straight into their place in the output, and nothing is copied afterwards. The format is the
//! public "LZ4 Frame Format Description".

use std::hash::Hasher as _;

use databricks_telemetry::ErrorCategory;
use lz4_flex::block;
use twox_hash::XxHash32;

use super::plain::Plain;
use crate::error::{Error, Result};

const MAGIC: u32 = 0x184D_2204;
/// Frames that a decoder must skip: magic `0x184D2A50` to `0x184D2A5F`, a length, that many bytes.
const SKIPPABLE_MAGIC: u32 = 0x184D_2A50;
/// How far back a match of a linked block can reach.
const WINDOW_BYTES: usize = 64 << 10;
/// A byte of a block stands for at most 255 bytes of a match; the rest is for what surrounds the last one.
const MAX_EXPANSION: usize = 255;
/// The most that one chunk may grow to. Chunks are about 20 MiB.
const MAX_PLAIN_BYTES: usize = 4 << 30;

/// Decompresses everything in `compressed`: any number of LZ4 frames.
///
/// # Errors
/// A frame is broken or cut off, or the result would be unreasonably large.
pub(super) fn decompress(compressed: &[u8]) -> Result<Plain> {
    let mut plain = Plain::with_room(compressed.len().saturating_mul(3));
    let mut frames = Frames::default();
    frames.push(compressed, &mut plain)?;
    frames.finish()?;
    Ok(plain)
}

/// Decompresses any number of frames in a row, empty ones among them, from pieces of any size.
///
/// Files of the real service are several frames in a row. A decoder that stops at the first end mark loses rows.
#[derive(Debug, Default)]
pub(super) struct Frames {
    expected: Expected,
    frame: Frame,
    /// The beginning of what is expected, when a piece ended in the middle of it.
    partial: Vec<u8>,
}

/// What comes next in the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Expected {
    #[default]
    Magic,
    SkippedLength,
    Skipped(usize),
    Flags,
    Descriptor,
    BlockSize,
    Block {
        bytes: usize,
        is_compressed: bool,
    },
    ContentChecksum,
}

/// The frame being read.
#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    flags: Flags,
    descriptor: [u8; 2],
    max_block_bytes: usize,
    content_bytes: Option<u64>,
    /// Where its content begins in the output.
    start: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    are_blocks_linked: bool,
    has_block_checksums: bool,
    has_content_bytes: bool,
    has_content_checksum: bool,
}

impl Frames {
    /// Decompresses what `piece` completes to the end of `output`.
    ///
    /// # Errors
    /// The input is no LZ4 frame, broken, or unreasonably large when decompressed.
    pub(super) fn push(&mut self, mut piece: &[u8], output: &mut Plain) -> Result<()> {
        while !piece.is_empty() {
            if let Expected::Skipped(left) = self.expected {
                let skipped = left.min(piece.len());
                piece = &piece[skipped..];
                self.expected = match left - skipped {
                    0 => Expected::Magic,
                    left => Expected::Skipped(left),
                };
                continue;
            }
            let wanted = self.wanted_bytes();
            if self.partial.is_empty()
                && let Some((whole, rest)) = piece.split_at_checked(wanted)
            {
                self.read(whole, output)?;
                piece = rest;
                continue;
            }
            let missing = wanted - self.partial.len();
            let (more, rest) = piece.split_at(missing.min(piece.len()));
            self.partial.extend_from_slice(more);
            piece = rest;
            if self.partial.len() == wanted {
                let whole = std::mem::take(&mut self.partial);
                let outcome = self.read(&whole, output);
                // The buffer is used again for the next block.
                self.partial = whole;
                self.partial.clear();
                outcome?;
            }
        }
        Ok(())
    }

    /// Checks that the input ended with the end of a frame.
    ///
    /// # Errors
    /// It is cut off.
    pub(super) fn finish(&self) -> Result<()> {
        match self.expected {
            Expected::Magic if self.partial.is_empty() => Ok(()),
            _ => Err(broken("it is cut off")),
        }
    }

    /// Whether these bytes end as frames usually do: with the mark of the end, and perhaps a checksum. What follows a frame may be something
    /// else, so that a file that does not is not therefore broken.
    pub(super) fn is_usual_end(bytes: &[u8]) -> bool {
        let is_mark = |checksum: usize| {
            let end = bytes.len().checked_sub(checksum)?;
            Some(bytes.get(end.checked_sub(4)?..end)? == [0; 4])
        };
        is_mark(0) == Some(true) || is_mark(4) == Some(true)
    }

    /// Checks that these bytes begin as files of frames do.
    ///
    /// # Errors
    /// They do not.
    pub(super) fn check_beginning(bytes: &[u8]) -> Result<()> {
        match number(bytes)? {
            0 | MAGIC => Ok(()),
            magic if magic & !0xF == SKIPPABLE_MAGIC => Ok(()),
            _ => Err(broken("it is no LZ4 frame")),
        }
    }

    fn wanted_bytes(&self) -> usize {
        match self.expected {
            Expected::Flags => 2,
            Expected::Magic | Expected::SkippedLength | Expected::BlockSize | Expected::ContentChecksum => 4,
            Expected::Descriptor => 1 + if self.frame.flags.has_content_bytes { 8 } else { 0 },
            Expected::Block { bytes, .. } => bytes + if self.frame.flags.has_block_checksums { 4 } else { 0 },
            Expected::Skipped(bytes) => bytes,
        }
    }

    /// Reads what was expected.
    fn read(&mut self, bytes: &[u8], output: &mut Plain) -> Result<()> {
        self.expected = match self.expected {
            Expected::Magic => match number(bytes)? {
                MAGIC => Expected::Flags,
                // A superfluous end mark.
                0 => Expected::Magic,
                magic if magic & !0xF == SKIPPABLE_MAGIC => Expected::SkippedLength,
                _ => return Err(broken("it is no LZ4 frame")),
            },
            Expected::SkippedLength => match number(bytes)? as usize {
                0 => Expected::Magic,
                length => Expected::Skipped(length),
            },
            // Handled where pieces come in.
            Expected::Skipped(_) => Expected::Magic,
            Expected::Flags => {
                self.frame = Frame::begin(bytes, output.filled().len())?;
                Expected::Descriptor
            }
            Expected::Descriptor => {
                self.frame.describe(bytes)?;
                Expected::BlockSize
            }
            Expected::BlockSize => self.frame.block(number(bytes)?, output)?,
            Expected::Block {
                bytes: size,
                is_compressed,
            } => {
                let (block, checksum) = bytes.split_at_checked(size).ok_or_else(|| broken("it is cut off"))?;
                if self.frame.flags.has_block_checksums && number(checksum)? != checksum_of(block) {
                    return Err(broken("the checksum of a block is wrong"));
                }
                self.frame.decompress(block, is_compressed, output)?;
                Expected::BlockSize
            }
            Expected::ContentChecksum => {
                if number(bytes)? != checksum_of(self.frame.content(output)) {
                    return Err(broken("the checksum of its content is wrong"));
                }
                Expected::Magic
            }
        };
        Ok(())
    }
}

impl Frame {
    fn begin(bytes: &[u8], start: usize) -> Result<Self> {
        let &[flags, sizes] = bytes else {
            return Err(broken("it is cut off"));
        };
        if flags >> 6 != 1 || flags & 0b10 != 0 || sizes & 0b1000_1111 != 0 {
            return Err(broken("it is of a version that is not known"));
        }
        if flags & 1 != 0 {
            return Err(broken("it needs a dictionary"));
        }
        let max_block_bytes = match sizes >> 4 {
            size @ 4..=7 => 1 << (8 + 2 * size),
            _ => return Err(broken("its blocks have a size that is not known")),
        };
        Ok(Self {
            flags: Flags {
                are_blocks_linked: flags & 0b10_0000 == 0,
                has_block_checksums: flags & 0b1_0000 != 0,
                has_content_bytes: flags & 0b1000 != 0,
                has_content_checksum: flags & 0b100 != 0,
            },
            descriptor: [flags, sizes],
            max_block_bytes,
            content_bytes: None,
            start,
        })
    }

    fn describe(&mut self, bytes: &[u8]) -> Result<()> {
        let (&checksum, content_bytes) = bytes.split_last().ok_or_else(|| broken("it is cut off"))?;
        let mut hasher = XxHash32::with_seed(0);
        hasher.write(&self.descriptor);
        hasher.write(content_bytes);
        if hasher.finish_32().to_le_bytes()[1] != checksum {
            return Err(broken("the checksum of its header is wrong"));
        }
        self.content_bytes = content_bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        Ok(())
    }

    /// What follows the size of a block.
    fn block(&self, size: u32, output: &Plain) -> Result<Expected> {
        if size == 0 {
            let found = self.content(output).len() as u64;
            if self.content_bytes.is_some_and(|promised| promised != found) {
                return Err(broken("its content has not the length that it announces"));
            }
            return Ok(match self.flags.has_content_checksum {
                true => Expected::ContentChecksum,
                false => Expected::Magic,
            });
        }
        let bytes = (size & 0x7FFF_FFFF) as usize;
        if bytes > self.max_block_bytes {
            return Err(broken("a block is larger than blocks of its frame can be"));
        }
        Ok(Expected::Block {
            bytes,
            is_compressed: size >> 31 == 0,
        })
    }

    fn decompress(&self, block: &[u8], is_compressed: bool, output: &mut Plain) -> Result<()> {
        let most = match is_compressed {
            true => self.max_block_bytes.min(block.len().saturating_mul(MAX_EXPANSION) + 64),
            false => block.len(),
        };
        if output.filled().len() + most > MAX_PLAIN_BYTES {
            return Err(broken("it is unreasonably large"));
        }
        let (before, room) = output.room(most);
        let written = if !is_compressed {
            room.copy_from_slice(block);
            Ok(block.len())
        } else if self.flags.are_blocks_linked {
            let window = self.start.max(before.len().saturating_sub(WINDOW_BYTES));
            block::decompress_into_with_dict(block, room, &before[window..])
        } else {
            block::decompress_into(block, room)
        };
        output.fill(written.map_err(|error| broken(&error.to_string()))?);
        Ok(())
    }

    fn content<'a>(&self, output: &'a Plain) -> &'a [u8] {
        &output.filled()[self.start..]
    }
}

fn number(bytes: &[u8]) -> Result<u32> {
    let bytes = bytes.first_chunk().ok_or_else(|| broken("it is cut off"))?;
    Ok(u32::from_le_bytes(*bytes))
}

fn checksum_of(bytes: &[u8]) -> u32 {
    XxHash32::oneshot(0, bytes)
}

fn broken(reason: &str) -> Error {
    Error::result_set(format!("a chunk's LZ4 data cannot be decompressed: {reason}"))
        .with_category(ErrorCategory::DecompressionError)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    use proptest::prelude::*;

    use super::*;

    fn frame(info: FrameInfo, bytes: &[u8]) -> Vec<u8> {
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn decompress(pieces: &[&[u8]]) -> Result<Vec<u8>> {
        let (mut frames, mut output) = (Frames::default(), Plain::with_room(16));
        for piece in pieces {
            frames.push(piece, &mut output)?;
        }
        frames.finish()?;
        Ok(output.filled().to_vec())
    }

    fn infos() -> impl Strategy<Value = FrameInfo> {
        (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(linked, blocks, content, large)| {
            FrameInfo::new()
                .block_mode(if linked {
                    BlockMode::Linked
                } else {
                    BlockMode::Independent
                })
                .block_size(if large { BlockSize::Max256KB } else { BlockSize::Max64KB })
                .block_checksums(blocks)
                .content_checksum(content)
        })
    }

    /// Text that compresses, of up to some blocks.
    fn content() -> impl Strategy<Value = Vec<u8>> {
        (prop::collection::vec(any::<u8>(), 0..400), 1..700_usize).prop_map(|(seed, times)| seed.repeat(times))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn frames_in_a_row_come_out_whole_however_they_are_cut(
            parts in prop::collection::vec((infos(), content()), 0..4),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let input: Vec<u8> = parts.iter().flat_map(|(info, bytes)| frame(info.clone(), bytes)).collect();
            let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
            places.extend([0, input.len()]);
            places.sort_unstable();
            let pieces: Vec<_> = places.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect();
            let whole: Vec<u8> = parts.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
            prop_assert_eq!(decompress(&pieces).unwrap(), whole);
        }

        #[test]
        fn damage_is_an_error_or_changes_nothing_that_a_checksum_covers(
            bytes in content(),
            at in any::<prop::sample::Index>(),
            bit in 0..8_u32,
        ) {
            let info = FrameInfo::new().block_checksums(true).content_checksum(true);
            let mut input = frame(info, &bytes);
            let place = at.index(input.len());
            input[place] ^= 1 << bit;
            if let Ok(found) = decompress(&[&input]) {
                prop_assert_eq!(found, bytes);
            }
        }

        #[test]
        fn noise_is_never_more_than_an_error(noise in prop::collection::vec(any::<u8>(), 0..2000)) {
            let _ = decompress(&[&noise]);
            let _ = decompress(&[&frame(FrameInfo::new(), b"x")[..7], &noise]);
        }
    }

    #[test]
    fn a_whole_file_ends_as_one_and_a_part_of_it_does_not() {
        let plain: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        for checksum in [false, true] {
            let info = FrameInfo::new().content_checksum(checksum);
            let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
            encoder.write_all(&plain).unwrap();
            let whole = encoder.finish().unwrap();
            assert!(Frames::is_usual_end(&whole));
            assert!(!Frames::is_usual_end(&whole[..whole.len() / 2]));
        }
        assert!(!Frames::is_usual_end(&[0; 3]));
    }

    #[test]
    fn broken_frames_are_errors() {
        let mut encoder = FrameEncoder::new(Vec::new());
        encoder.write_all(&[7; 1000]).unwrap();
        let good = encoder.finish().unwrap();
        assert_eq!(super::decompress(&good).unwrap().filled(), [7; 1000]);
        for cut in [1, 3, 5, 12] {
            assert!(super::decompress(&good[..cut]).is_err(), "{cut}");
        }
        assert!(super::decompress(b"no frame at all").is_err());
    }

    #[test]
    fn padding_between_frames_is_skipped() {
        let mut input = frame(FrameInfo::new(), b"one ");
        input.extend(frame(FrameInfo::new(), b""));
        input.extend([0; 8]);
        input.extend([0x50, 0x2A, 0x4D, 0x18, 2, 0, 0, 0, 9, 9]);
        input.extend(frame(FrameInfo::new(), b"two"));
        assert_eq!(decompress(&[&input]).unwrap(), b"one two");
        let bytes: Vec<_> = input.chunks(1).collect();
        assert_eq!(decompress(&bytes).unwrap(), b"one two");
        assert_eq!(decompress(&[]).unwrap(), b"");
    }

    #[test]
    fn an_announced_length_must_be_true() {
        let info = FrameInfo::new().content_size(Some(4));
        let mut good = frame(info, b"four");
        assert_eq!(decompress(&[&good]).unwrap(), b"four");
        good.truncate(good.len() - 1);
        assert!(decompress(&[&good]).is_err(), "cut off");
    }
}
