//! A spool file for the items of each worker. Messages over a pipe hold references into the file instead of bodies.
//!
//! The worker maps its spool, see [`super::spool`]. If the input is a file that the source has mapped, the worker maps
//! that file too, see [`super::shared_input`], and no item is copied. Results of any size are sent over a pipe.
//!
//! The channel is full when its pipe is full. The core limits the items in flight, and so the size of the spool.
//!
//! Invariant: the supervisor writes to a spool and never maps it; the worker only reads.

use super::copies::{Copies, RoundTrip};
use super::shared_input;
use super::spool::{Place, Spool};
use super::{
    Channel, ChannelError, Connection, Endpoints, Fill, Flush, InputIntegrity, ItemsError, ItemsIn, OpenError,
    Transport, TransportError, pipe,
};
use crate::model::time::Duration;
use crate::sys::block::{Block, BlockSlice};
use crate::sys::fd;
use crate::sys::folder::{Folder, FolderError};
use crate::sys::guard::Leftover;
use crate::sys::mapping::Mapping;
use crate::wire::frame::{BODY_BYTES_MAX, Frame, check_body};
use crate::wire::names;
use crate::wire::prefix::Prefix;
use crate::wire::read_buffer::ReadBuffer;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

/// There: a body is written into the spool, which the worker maps. None, if the worker maps the input itself. Back: those
/// of a pipe.
pub(super) const COPIES: Copies = Copies {
    message: RoundTrip { there: 1, back: pipe::COPIES.message.back },
    batch: RoundTrip { there: 1, back: pipe::COPIES.batch.back },
};

/// The size of a worker's mapping of the input, unless one body is larger.
const WINDOW_BYTES: u64 = 4 << 20;

/// The file that a reference points into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum In {
    Spool = 0,
    Input = 1,
}

/// The place of a body; a message holds it instead of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reference {
    file: In,
    offset: u64,
    bytes: usize,
}

/// Bytes of a reference.
const REFERENCE_BYTES: usize = 16;

impl Reference {
    /// Offset u64, length u32, file u32, little-endian.
    fn write(self, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&self.offset.to_le_bytes());
        // At most `BODY_BYTES_MAX`.
        out.extend_from_slice(&(self.bytes as u32).to_le_bytes());
        out.extend_from_slice(&(self.file as u32).to_le_bytes());
    }

    const fn end(self) -> u64 {
        self.offset + self.bytes as u64
    }

    fn read(body: &[u8]) -> Option<Self> {
        let (offset, rest) = body.split_first_chunk::<8>()?;
        let (bytes, rest) = rest.split_first_chunk::<4>()?;
        let file = match u32::from_le_bytes(rest.try_into().ok()?) {
            0 => In::Spool,
            1 => In::Input,
            _ => return None,
        };
        let bytes = u32::from_le_bytes(*bytes) as usize;
        let offset = u64::from_le_bytes(*offset);
        let is_sound = bytes <= BODY_BYTES_MAX && i64::try_from(offset).is_ok();
        is_sound.then_some(Self { file, offset, bytes })
    }
}

/// What to do about an error of a write to a spool; empty where there is no more to say.
fn remedy(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EFBIG) => "; raise `ulimit -f`, or give another --transport",
        Some(libc::ENOSPC | libc::EDQUOT) => "; give it room, or give --spool DIR, or set TMPDIR to another folder",
        _ => "",
    }
}

/// A spool for each worker, and the input if it is mapped.
pub(super) struct FileTransport {
    pipes: pipe::PipeTransport,
    place: Place,
    /// The first spool, created at once, so that a fault of the folder is reported before a worker is started.
    spare: Option<Spool>,
    input: Option<Arc<File>>,
}

impl FileTransport {
    /// Spools with names in `folder`, or without names in the folder for temporary files.
    pub(super) fn new(folder: Option<&Path>) -> Result<Self, TransportError> {
        let place = match folder {
            None => Place::Nameless(std::env::temp_dir()),
            Some(path) => Place::named(Folder::open(path).map_err(|error| {
                let path = path.to_owned();
                match error {
                    FolderError::Open(error) => TransportError::Folder { path, error },
                    unsafe_folder => TransportError::UnsafeFolder { path, why: unsafe_folder.to_string() },
                }
            })?),
        };
        let spool = Spool::create(&place)
            .map_err(|error| TransportError::Spool { folder: place.folder().to_owned(), error })?;
        Ok(Self { pipes: pipe::PipeTransport, place, spare: Some(spool), input: None })
    }
}

impl Transport for FileTransport {
    fn open(&mut self) -> Result<(Box<dyn Channel>, Endpoints), OpenError> {
        let (inner, endpoints) = self.pipes.open()?;
        let spool = match self.spare.take() {
            Some(spool) => spool,
            None => Spool::create(&self.place).map_err(|error| OpenError::Folder {
                what: "a spool",
                folder: self.place.folder().to_owned(),
                error,
            })?,
        };
        // Without `/proc` the worker gets our open file. It can write the spool then, which harms itself alone: the
        // supervisor only writes at positions.
        let mut endpoints = endpoints.fd(&[names::FD_SPOOL], fd::to_read_elsewhere(spool.file())?.into());
        if let Some(input) = &self.input {
            endpoints = endpoints.fd(&[names::FD_INPUT], fd::to_read_elsewhere(input)?.into());
        }
        let folder = self.place.folder().display().to_string();
        let input = self.input.clone();
        Ok((
            Box::new(FileChannel { inner, spool, folder, input, reference: Arc::default(), unwritten_bytes: 0 }),
            endpoints,
        ))
    }

    fn fds_per_channel(&self) -> u64 {
        self.pipes.fds_per_channel() + 1
    }

    fn leftovers(&self) -> Vec<Leftover> {
        Vec::new()
    }

    /// Its channels are not busy-polled.
    fn spin(&self) -> Duration {
        Duration::ZERO
    }

    fn share_input(&mut self, input: &Arc<File>) {
        self.input = Some(Arc::clone(input));
    }
}

/// See [`super::connect`].
pub(super) fn connect(mut endpoints: Endpoints) -> io::Result<Connection> {
    let spool = View::new(endpoints.take_fd(names::FD_SPOOL)?.into(), "the spool");
    let input = endpoints.take_fd(names::FD_INPUT).ok().map(|input| View::new(input.into(), "the input"));
    let integrity = Arc::new(InputIntegrity::of_mappings(input.as_ref().map(|input| Arc::clone(&input.file))));
    let Connection { items, results } = pipe::connect(endpoints)?;
    Ok(Connection { items: Box::new(FileItems { inner: items, spool, input, integrity }), results })
}

/// The supervisor's end: a pipe's, with bodies in a file.
struct FileChannel {
    inner: Box<dyn Channel>,
    spool: Spool,
    /// The folder of the spool, for the text of an error.
    folder: String,
    input: Option<Arc<File>>,
    /// Scratch space: the reference in the message that is being queued.
    reference: Arc<Block>,
    /// The bytes of bodies whose messages have not been written.
    unwritten_bytes: usize,
}

impl FileChannel {
    fn lay_aside(&mut self, items: u32, body: &BlockSlice<'_>) -> Result<Reference, ChannelError> {
        let bytes = body.range().len();
        check_body(bytes)?;
        if let Some(offset) = shared_input::place(self.input.as_ref(), body) {
            self.spool.pass_over(items);
            return Ok(Reference { file: In::Input, offset, bytes });
        }
        match self.spool.append(items, body.bytes()) {
            Ok(offset) => Ok(Reference { file: In::Spool, offset, bytes }),
            Err(error) => {
                Err(ChannelError::Spool { folder: self.folder.clone(), error: format!("{error}{}", remedy(&error)) })
            }
        }
    }
}

impl Channel for FileChannel {
    fn read_fd(&self) -> BorrowedFd<'_> {
        self.inner.read_fd()
    }

    fn write_fd(&self) -> Option<BorrowedFd<'_>> {
        self.inner.write_fd()
    }

    fn fill(&mut self, into: &mut ReadBuffer) -> Result<Fill, ChannelError> {
        self.inner.fill(into)
    }

    fn recover(&mut self, into: &mut ReadBuffer) -> usize {
        self.inner.recover(into)
    }

    fn queue(&mut self, prefix: &Prefix, items: u32, body: BlockSlice<'_>) -> Result<(), ChannelError> {
        if self.inner.write_fd().is_none() {
            return Ok(());
        }
        let reference = self.lay_aside(items, &body)?;
        if Arc::get_mut(&mut self.reference).is_none() {
            self.reference = Arc::default();
        }
        if let Some(Block::Memory(bytes)) = Arc::get_mut(&mut self.reference) {
            reference.write(bytes);
        }
        self.unwritten_bytes += reference.bytes;
        self.inner.queue(&prefix.with_body_bytes(REFERENCE_BYTES), items, BlockSlice::whole(&self.reference))
    }

    fn queue_text(&mut self, _: &[u8]) -> Result<(), ChannelError> {
        Err(ChannelError::FramesOnly)
    }

    fn answered(&mut self, items: u64) {
        self.spool.settle(items);
    }

    fn flush(&mut self) -> io::Result<Flush> {
        let flushed = self.inner.flush();
        if self.inner.backlog_bytes() == 0 {
            self.unwritten_bytes = 0;
        }
        flushed
    }

    fn backlog_bytes(&self) -> usize {
        self.inner.backlog_bytes() + self.unwritten_bytes
    }

    fn close_input(&mut self) {
        self.inner.close_input();
        self.unwritten_bytes = 0;
    }

    fn is_busy_polled(&self) -> bool {
        self.inner.is_busy_polled()
    }

    fn arm(&mut self) -> bool {
        self.inner.arm()
    }
}

/// The worker's end: the pipe with references, and the files that they point into.
struct FileItems {
    inner: Box<dyn ItemsIn>,
    spool: View,
    input: Option<View>,
    integrity: Arc<InputIntegrity>,
}

impl ItemsIn for FileItems {
    fn fill(&mut self) -> io::Result<bool> {
        self.inner.fill()
    }

    fn next(&mut self) -> Result<Option<Frame<'_>>, ItemsError> {
        let Some(Frame { kind, head, body }) = self.inner.next()? else { return Ok(None) };
        let reference = Reference::read(body).ok_or(ItemsError::Reference)?;
        self.integrity.begin(if reference.file == In::Input { reference.end() } else { 0 });
        let body = match (reference.file, &mut self.input) {
            (In::Spool, _) => self.spool.borrow_all(reference)?,
            (In::Input, Some(input)) => input.borrow(reference)?,
            (In::Input, None) => return Err(ItemsError::Reference),
        };
        Ok(Some(Frame { kind, head, body }))
    }

    fn waiting(&self, most: usize) -> usize {
        self.inner.waiting(most)
    }

    fn integrity(&self) -> Arc<InputIntegrity> {
        Arc::clone(&self.integrity)
    }
}

/// The part of a file that is mapped.
struct View {
    file: Arc<File>,
    name: &'static str,
    mapping: Option<Mapping>,
}

impl View {
    fn new(file: File, name: &'static str) -> Self {
        Self { file: Arc::new(file), name, mapping: None }
    }

    /// For a file that is reused from its beginning: maps it from offset 0, and again when it has grown.
    fn borrow_all(&mut self, reference: Reference) -> Result<&[u8], ItemsError> {
        if self.mapping.as_ref().is_some_and(Mapping::is_lost) {
            // Only the spool can be missing here. It stays damaged, and the next worker gets a new one.
            return Err(ItemsError::Lost { what: self.name });
        }
        self.borrow_within(reference, 0, reference.end().next_power_of_two().max(WINDOW_BYTES))
    }

    /// For a file that is read once, in order: maps a window of it.
    fn borrow(&mut self, reference: Reference) -> Result<&[u8], ItemsError> {
        self.mapping.take_if(|mapping| mapping.is_lost());
        let start = reference.offset / WINDOW_BYTES * WINDOW_BYTES;
        self.borrow_within(reference, start, (reference.end() - start).max(WINDOW_BYTES))
    }

    /// The bytes in the present mapping, or in a new mapping of `offset` and `bytes`.
    fn borrow_within(&mut self, reference: Reference, start: u64, length: u64) -> Result<&[u8], ItemsError> {
        if reference.bytes == 0 {
            return Ok(&[]);
        }
        let range = |mapping: &Mapping| {
            let start = usize::try_from(reference.offset.checked_sub(mapping.offset())?).ok()?;
            Some(start..start.checked_add(reference.bytes).filter(|end| *end <= mapping.len())?)
        };
        if self.mapping.as_ref().and_then(range).is_none() {
            // Unmaps the old mapping first, so that two never exist.
            self.mapping = None;
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let mapped = Mapping::new(&self.file, start, length);
            self.mapping = Some(mapped.map_err(|error| ItemsError::Map { what: self.name, error: error.to_string() })?);
        }
        let integrity = self.mapping.as_ref().and_then(|mapping| mapping.get(range(mapping)?));
        integrity.ok_or(ItemsError::Reference)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Frames;
    use super::*;
    use crate::wire::frame::FrameError;

    #[test]
    fn a_body_over_the_limit_is_refused_and_nothing_is_lost() {
        let (channel, endpoints) = FileTransport::new(None).unwrap().open().unwrap();
        let mut channel = Frames::of(channel);
        let Connection { mut items, results: _results } = connect(endpoints).unwrap();
        let error = channel.queue(1, &vec![0; BODY_BYTES_MAX + 1]).unwrap_err();
        assert!(matches!(error, ChannelError::Frame(FrameError::Body { .. })), "{error}");
        channel.queue(2, b"fits").unwrap();
        assert_eq!(channel.flush(), Flush::All);
        assert!(items.fill().unwrap());
        assert_eq!(items.next().unwrap().unwrap().body, b"fits");
        assert!(items.next().unwrap().is_none());
    }

    #[test]
    fn a_reference_is_read_as_it_was_written() {
        let mut bytes = Vec::new();
        for (file, offset, length) in [(In::Spool, 0, 0), (In::Input, 1 << 40, 7), (In::Spool, 5, BODY_BYTES_MAX)] {
            let reference = Reference { file, offset, bytes: length };
            reference.write(&mut bytes);
            assert_eq!((bytes.len(), Reference::read(&bytes)), (REFERENCE_BYTES, Some(reference)));
        }
        let sound = [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0];
        assert!(Reference::read(&sound).is_some());
        for (at, byte) in [(7, 0x80), (11, 2), (12, 2), (15, 1)] {
            let mut wrong = sound;
            wrong[at] = byte;
            assert_eq!(Reference::read(&wrong), None, "{at}");
        }
        assert_eq!(Reference::read(&sound[1..]), None);
        assert_eq!(Reference::read(&[0; REFERENCE_BYTES + 1]), None);
    }
}
