//! A thread that waits for places of a semaphore, so that the loop does not.
//!
//! Invariant: one place at a time is waited for. Once the taker is gone, a place that still comes is given back at once.

use super::semaphore::{Semaphore, SemaphoreError, SemaphorePlace};
use super::wake_fd::WakeFd;
use std::io;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread::Builder;

type PlaceAnswer = Result<SemaphorePlace, SemaphoreError>;

/// Waits for a place when it is asked to. Readable when it has one.
pub struct PlaceTaker {
    wake: Arc<WakeFd>,
    questions: Sender<NonZeroU32>,
    answers: Receiver<PlaceAnswer>,
}

impl PlaceTaker {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system is short of descriptors or of threads.
    pub fn start(semaphore: Semaphore) -> io::Result<Self> {
        let wake = Arc::new(WakeFd::new()?);
        let (questions, asked) = mpsc::channel();
        let (answered, answers) = mpsc::sync_channel(1);
        let own = Arc::clone(&wake);
        // Nobody waits for it: it may be in the queue of the semaphore for as long as others have its places.
        Builder::new().name("semaphore".to_owned()).spawn(move || serve(&semaphore, &asked, &answered, &own))?;
        Ok(Self { wake, questions, answers })
    }

    /// Waits for a place while fewer than `places` are held, by whomever.
    pub fn ask(&self, places: NonZeroU32) {
        // The thread lives as long as this does.
        let _ = self.questions.send(places);
    }

    /// The place that was asked for; `None`: it has not come.
    ///
    /// # Errors
    /// The semaphore cannot be used any more.
    pub fn answer(&self) -> Option<PlaceAnswer> {
        self.wake.clear();
        self.answers.try_recv().ok()
    }
}

impl AsFd for PlaceTaker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

fn serve(semaphore: &Semaphore, asked: &Receiver<NonZeroU32>, answered: &SyncSender<PlaceAnswer>, wake: &WakeFd) {
    for places in asked {
        // Without a limit of the wait there is a place at the end of it.
        let Some(answer) = semaphore.take(places, None).transpose() else { continue };
        if answered.send(answer).is_err() {
            return;
        }
        wake.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::ffi::OsStr;

    fn answer(taker: &PlaceTaker) -> SemaphorePlace {
        poll(&mut [PollFd::new(taker.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE).unwrap();
        taker.answer().unwrap().unwrap()
    }

    #[test]
    fn a_place_comes_once_another_is_given_back() {
        let base = tempfile::tempdir().unwrap();
        let open = || Semaphore::open_in(base.path(), OsStr::new("own"), OsStr::new("name")).unwrap();
        let (one, other) = (PlaceTaker::start(open()).unwrap(), PlaceTaker::start(open()).unwrap());
        one.ask(NonZeroU32::MIN);
        let place = answer(&one);
        other.ask(NonZeroU32::MIN);
        assert!(other.answer().is_none());
        drop(place);
        answer(&other);
    }
}
