//! Two channels of bytes of the `ipc-channel` library, as streams.
//!
//! The library sends packets over sockets. Its calls wait, and it is made for processes that trust each other: a
//! packet with a wrong header makes its receiver wait for the rest of it, panic, or ask for more memory than there
//! is. So the supervisor calls the library only when the result of the call is known:
//!
//! - The socket for items never blocks. That is a flag of its open file, which the supervisor sets by a descriptor of
//!   its own; the loop waits for that descriptor too.
//! - The header of a packet is read before the packet is received. A packet that is not a single whole message, as
//!   the supervisor's side of the library sends it, ends the channel.
//!
//! Invariant: of what a worker sends, only whole packets of [`MESSAGE_BYTES_MAX`], without descriptors, reach the
//! library. How workers connect is in `ipc_rendezvous.rs`.

use super::copies::Copies;
use super::cutter::Cutter;
use super::ipc_rendezvous::{self, Ends, Rendezvous, SocketFolder};
use super::stream::{self, StreamChannel};
use super::{Channel, Connection, Endpoints, OpenError, Transport, TransportError};
use crate::model::time::Duration;
use crate::sys::fd;
use crate::sys::guard::Leftover;
use crate::sys::socket::{self, Packet};
use crate::wire::names;
use ipc_channel::IpcError;
use ipc_channel::ipc::{self, IpcBytesReceiver, IpcBytesSender};
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// Most bytes of a message. Several fit into a socket at once, and a packet of this size costs little more than one
/// of a few bytes.
const MESSAGE_BYTES_MAX: usize = 32 * 1024;

/// What the library puts in front of a message: the bytes of the packet, and of the whole message, of which a packet
/// may be a part.
const HEADER_BYTES: usize = 2 * WORD_BYTES;
const WORD_BYTES: usize = size_of::<usize>();

/// Most descriptors of one channel at once: two for each direction, and until the worker has connected its two ends,
/// the socket of the rendezvous, the connection and the answer.
const FDS_PER_CHANNEL: u64 = 9;

/// One more each way than a stream: the library receives each message into memory of its own, from which it is copied
/// into the buffer of frames. The first message of a large body is put together with its header before.
pub(super) const COPIES: Copies = Copies::new((4, 4), (3, 3));

/// The channels of one run.
pub(super) struct IpcTransport {
    folder: Arc<SocketFolder>,
}

impl IpcTransport {
    /// The channels of a run that begins with `workers` workers.
    pub(super) fn new(workers: u32) -> Result<Self, TransportError> {
        SocketFolder::check()?;
        let failed = |error| TransportError::System { what: "make a folder for sockets", error };
        Ok(Self { folder: Arc::new(SocketFolder::new(workers).map_err(failed)?) })
    }
}

impl Transport for IpcTransport {
    fn open(&mut self) -> Result<(Box<dyn Channel>, Endpoints), OpenError> {
        let (sender, their_items) = ipc::bytes_channel()?;
        let (their_results, receiver) = ipc::bytes_channel()?;
        let items = IpcItemWriter {
            socket: ipc_rendezvous::descriptor(&sender)?,
            sender,
            cutter: Cutter::new(MESSAGE_BYTES_MAX),
        };
        fd::set_nonblocking(&items.socket)?;
        let socket = ipc_rendezvous::descriptor(&receiver)?;
        let rendezvous = self
            .folder
            .expect_worker(Ends { items: their_items, results: their_results })
            .map_err(|error| OpenError::Folder { what: "sockets", folder: std::env::temp_dir(), error })?;
        let endpoints = Endpoints::new().variable(names::RENDEZVOUS, rendezvous.name()?);
        let results =
            IpcResultReader { socket, receiver, message: ReceivedMessage::default(), _rendezvous: rendezvous };
        Ok((Box::new(StreamChannel::new(results, items, |_| ())), endpoints))
    }

    fn fds_per_channel(&self) -> u64 {
        FDS_PER_CHANNEL
    }

    fn leftovers(&self) -> Vec<Leftover> {
        self.folder.leftovers()
    }

    /// Its channels are not busy-polled.
    fn spin(&self) -> Duration {
        Duration::ZERO
    }

    /// Bodies are copied out of a mapped input.
    fn share_input(&mut self, _: &Arc<File>) {}
}

/// See [`super::connect`].
pub(super) fn connect(endpoints: &Endpoints) -> io::Result<Connection> {
    let Ends { items, results } = ipc_rendezvous::join(endpoints.get_variable(names::RENDEZVOUS)?)?;
    let items = IpcItemReader { receiver: items, message: ReceivedMessage::default() };
    Ok(stream::connection(items, IpcResultWriter { sender: results, cutter: Cutter::new(MESSAGE_BYTES_MAX) }))
}

/// A received message, and how much of it was read.
#[derive(Default)]
struct ReceivedMessage {
    bytes: Vec<u8>,
    read: usize,
}

impl ReceivedMessage {
    /// Reads from the message or, after its end, from the next one. An empty message is the end of the stream.
    fn read(&mut self, into: &mut [u8], next: impl FnOnce() -> io::Result<Vec<u8>>) -> io::Result<usize> {
        if self.read == self.bytes.len() {
            *self = Self { bytes: next()?, read: 0 };
        }
        let bytes = into.len().min(self.bytes.len() - self.read);
        into[..bytes].copy_from_slice(&self.bytes[self.read..][..bytes]);
        self.read += bytes;
        if self.read == self.bytes.len() {
            // Frees it at once: the library allocates 200 KiB, its largest packet, for each message.
            *self = Self::default();
        }
        Ok(bytes)
    }
}

/// Waits for the next message; an empty one means the end of the stream.
fn receive(receiver: &IpcBytesReceiver) -> io::Result<Vec<u8>> {
    loop {
        match receiver.recv() {
            Ok(message) => return Ok(message),
            Err(IpcError::Disconnected) => return Ok(Vec::new()),
            Err(IpcError::Io(error)) if error.kind() == ErrorKind::Interrupted => {}
            Err(IpcError::Io(error)) => return Err(error),
            Err(error) => return Err(io::Error::other(error)),
        }
    }
}

/// The supervisor's end of the channel with results.
struct IpcResultReader {
    /// The receiver's socket, to peek and to wait.
    socket: OwnedFd,
    receiver: IpcBytesReceiver,
    message: ReceivedMessage,
    /// Ends the thread that waits for the worker, if the worker never connected.
    _rendezvous: Rendezvous,
}

impl Read for IpcResultReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.message.read(into, || {
            let mut header = [0; HEADER_BYTES];
            let packet = socket::peek(&self.socket, &mut header)?;
            if packet.bytes > 0 && !is_one_message(packet, &header) {
                return Err(ErrorKind::InvalidData.into());
            }
            receive(&self.receiver)
        })
    }
}

/// Whether a packet is one whole message as the library makes it.
fn is_one_message(packet: Packet, header: &[u8; HEADER_BYTES]) -> bool {
    let (of_packet, of_message) = header.split_at(WORD_BYTES);
    let bytes = packet.bytes.checked_sub(HEADER_BYTES).filter(|bytes| (1..=MESSAGE_BYTES_MAX).contains(bytes));
    !packet.has_more
        && bytes.is_some_and(|bytes| *of_packet == packet.bytes.to_ne_bytes() && *of_message == bytes.to_ne_bytes())
}

impl AsFd for IpcResultReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The supervisor's end of the channel with items.
struct IpcItemWriter {
    /// The sender's socket, to wait.
    socket: OwnedFd,
    sender: IpcBytesSender,
    cutter: Cutter,
}

impl Write for IpcItemWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.cutter.write(bytes, |message| self.sender.send(message))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.cutter.write_vectored(slices, |message| self.sender.send(message))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for IpcItemWriter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The worker's end of the channel with items.
struct IpcItemReader {
    receiver: IpcBytesReceiver,
    message: ReceivedMessage,
}

impl Read for IpcItemReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.message.read(into, || receive(&self.receiver))
    }
}

/// The worker's end of the channel with results.
struct IpcResultWriter {
    sender: IpcBytesSender,
    cutter: Cutter,
}

impl Write for IpcResultWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.cutter.write(bytes, |message| self.sender.send(message))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::testing::Frames;
    use crate::transport::{ChannelError, Fill};
    use crate::wire::message::FromWorker;

    /// A whole packet of a message as the library makes it, with what its header says.
    fn packet(of_packet: usize, of_message: usize, message: &[u8]) -> Vec<u8> {
        [&of_packet.to_ne_bytes()[..], &of_message.to_ne_bytes(), message].concat()
    }

    #[test]
    fn a_packet_that_the_library_would_not_survive_ends_its_channel_alone() {
        let mut transport = IpcTransport::new(1).unwrap();
        let large = vec![0; MESSAGE_BYTES_MAX + 1];
        let hostile: [Vec<u8>; 8] = [
            b"hello".to_vec(),
            8_usize.to_ne_bytes().to_vec(),
            packet(0, 0, b""),
            packet(16, 0, b""),
            // Part of a packet, of which it would wait for the rest.
            packet(1000, 984, b"part"),
            // Part of a message, whose rest would come by a descriptor.
            packet(20, 1 << 62, b"part"),
            packet(20, 3, b"more"),
            packet(HEADER_BYTES + large.len(), large.len(), &large),
        ];
        for bytes in hostile {
            let (channel, endpoints) = transport.open().unwrap();
            let mut channel = Frames::of(channel);
            let Ends { results, .. } =
                ipc_rendezvous::join(endpoints.get_variable(names::RENDEZVOUS).unwrap()).unwrap();
            let mut frame = Vec::new();
            let done = FromWorker::Done { first: 1, count: 1, attempt: 1, busy_ns: 7, timed: false };
            crate::wire::append(&done, b"x\n", &mut frame).unwrap();
            results.send(&frame).unwrap();
            socket::send_packet(ipc_rendezvous::descriptor(&results).unwrap(), &bytes).unwrap();
            assert_eq!(channel.fill().unwrap(), Fill::Bytes(frame.len()));
            assert_eq!(channel.next(), Some((done, b"x\n".to_vec())));
            for _ in 0..2 {
                let error = channel.fill().unwrap_err();
                let is_refused =
                    matches!(&error, ChannelError::System(error) if error.kind() == ErrorKind::InvalidData);
                assert!(is_refused, "{bytes:?}: {error}");
            }
        }
    }

    #[test]
    fn a_message_with_a_descriptor_is_refused() {
        let mut header = [0; HEADER_BYTES];
        header.copy_from_slice(&packet(20, 4, b""));
        assert!(is_one_message(Packet { bytes: 20, has_more: false }, &header));
        assert!(!is_one_message(Packet { bytes: 20, has_more: true }, &header));
        assert!(!is_one_message(Packet { bytes: 21, has_more: false }, &header));
        let (ours, theirs) = ipc::channel::<ipc::IpcSender<u8>>().unwrap();
        ours.send(ipc::channel().unwrap().0).unwrap();
        let packet = socket::peek(ipc_rendezvous::descriptor(&theirs).unwrap(), &mut header).unwrap();
        assert!(packet.has_more);
    }
}
