//! Fake descriptors: each owns a real, cheap one, so that the shell can borrow it and no number is used twice.
//!
//! They come from a pool of the thread and return to it, so that a schedule costs no system calls for them. The world
//! is told when one is closed.

use crate::poll_set::Object;
use crate::world::Shared;
use std::cell::RefCell;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

thread_local! {
    static POOL: RefCell<Vec<OwnedFd>> = const { RefCell::new(Vec::new()) };
    static DEV_NULL: File = File::options().read(true).write(true).open("/dev/null").expect("open /dev/null");
}

/// A descriptor of the world.
pub struct Descriptor {
    fd: Option<OwnedFd>,
    world: Shared,
}

impl Descriptor {
    pub fn open(world: &Shared, object: Object) -> Self {
        let fd = POOL.with_borrow_mut(Vec::pop).unwrap_or_else(real);
        world.borrow_mut().poll_set.opened(fd.as_raw_fd(), object);
        Self { fd: Some(fd), world: world.clone() }
    }
}

/// A descriptor whose close is not reported to the world: a pidfd, or `/dev/null`.
pub fn real() -> OwnedFd {
    DEV_NULL.with(|file| file.as_fd().try_clone_to_owned().expect("duplicate /dev/null"))
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_ref().expect("open until it is dropped").as_fd()
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        let Some(fd) = self.fd.take() else { return };
        // While a panic unwinds the world may be in use.
        if let Ok(mut world) = self.world.try_borrow_mut() {
            world.descriptor_closed(fd.as_raw_fd());
        }
        POOL.with_borrow_mut(|pool| pool.push(fd));
    }
}
