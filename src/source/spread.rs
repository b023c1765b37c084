//! One input for commands that stay: the first blocks are the items of a run, one for each command, and those behind them
//! are handed out to the commands that run.
//!
//! The item source (`FirstBlocks`) and the rest ([`BlockSupply`]) share the input. The item source ends with the input, not
//! before: until then commands may get more. So what goes wrong with the input behind the first blocks reaches the core
//! by the item source, too: as a failed item, or as a lost source.
//!
//! Invariant: a block is delivered once, and in the order of the input.

use super::{Delivery, Payload, Source, SourceError};
use crate::sys::wake_fd::WakeFd;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::sync::Arc;

/// The input, and how far it is.
struct SpreadInput {
    input: Box<dyn Source>,
    /// Blocks that are still items.
    first: u32,
    /// The input had nothing: it is not asked again before its descriptor is readable.
    idle: bool,
    over: bool,
    /// What went wrong behind the first blocks.
    failures: VecDeque<Result<Delivery, SourceError>>,
}

/// The source of the items.
struct FirstBlocks {
    shared: Rc<RefCell<SpreadInput>>,
    /// Readable when it has something to say.
    wake: Rc<WakeFd>,
    delimiter: u8,
}

/// The blocks behind the first ones.
pub struct BlockSupply {
    shared: Rc<RefCell<SpreadInput>>,
    wake: Rc<WakeFd>,
}

/// What the supply has.
#[derive(Debug)]
pub enum NextBlock {
    Block(Payload),
    /// Nothing at the moment. `asks_again`: no descriptor tells when there is more, so ask in the next turn.
    Nothing {
        asks_again: bool,
    },
    /// The input has ended.
    Ended,
}

/// Shares an input out: `commands` of its blocks are items.
///
/// # Errors
/// The system is short of descriptors.
pub fn spread(input: Box<dyn Source>, commands: u32) -> io::Result<(Box<dyn Source>, BlockSupply)> {
    let (wake, delimiter) = (Rc::new(WakeFd::new()?), input.delimiter());
    let shared = SpreadInput { input, first: commands, idle: false, over: false, failures: VecDeque::new() };
    let shared = Rc::new(RefCell::new(shared));
    let supply = BlockSupply { shared: Rc::clone(&shared), wake: Rc::clone(&wake) };
    Ok((Box::new(FirstBlocks { shared, wake, delimiter }), supply))
}

impl Source for FirstBlocks {
    fn next(&mut self, items_max: u64) -> Result<Delivery, SourceError> {
        self.wake.clear();
        let mut shared = self.shared.borrow_mut();
        if let Some(failure) = shared.failures.pop_front() {
            // There may be more of them, and the end.
            self.wake.wake();
            return failure;
        }
        if shared.over {
            return Ok(Delivery::Ended);
        }
        if shared.first == 0 {
            return Ok(Delivery::Idle);
        }
        let delivery = shared.input.next(items_max.min(1));
        match &delivery {
            Ok(Delivery::Items(_)) => shared.first -= 1,
            Ok(Delivery::Rejected(_)) => {}
            Ok(Delivery::Idle) if shared.input.fd().is_none() => self.wake.wake(),
            Ok(Delivery::Idle) => shared.idle = true,
            Ok(Delivery::Ended) | Err(_) => shared.over = true,
        }
        delivery
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.wake.as_fd())
    }

    fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// Commands read no file of ours.
    fn mapped_file(&self) -> Option<&Arc<File>> {
        None
    }
}

impl BlockSupply {
    /// The next block, once every command has its first one.
    pub fn next(&self) -> NextBlock {
        let nothing = NextBlock::Nothing { asks_again: false };
        let mut shared = self.shared.borrow_mut();
        if shared.over {
            return NextBlock::Ended;
        }
        if shared.first > 0 || shared.idle {
            return nothing;
        }
        match shared.input.next(1) {
            Ok(Delivery::Items(payload)) => NextBlock::Block(payload),
            Ok(Delivery::Idle) if shared.input.fd().is_none() => NextBlock::Nothing { asks_again: true },
            Ok(Delivery::Idle) => {
                shared.idle = true;
                nothing
            }
            Ok(Delivery::Ended) => {
                shared.over = true;
                self.wake.wake();
                NextBlock::Ended
            }
            failure => {
                shared.over |= failure.is_err();
                shared.failures.push_back(failure);
                self.wake.wake();
                NextBlock::Nothing { asks_again: true }
            }
        }
    }

    /// Whether the input has ended, or is not read on.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.shared.borrow().over
    }

    /// Whether every command has its first block.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.shared.borrow().first == 0
    }

    /// Whether the input had nothing: its descriptor tells when there is more.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let shared = self.shared.borrow();
        shared.idle && !shared.over
    }

    /// The descriptor of the input is readable: it may be asked again.
    pub fn on_ready(&self) {
        let mut shared = self.shared.borrow_mut();
        shared.idle = false;
        if shared.first > 0 {
            self.wake.wake();
        }
    }

    /// Nothing is read any more. `error`: what is left of the input is lost.
    pub fn end(&self, error: Option<SourceError>) {
        let mut shared = self.shared.borrow_mut();
        if !std::mem::replace(&mut shared.over, true) {
            shared.failures.extend(error.map(Err));
            self.wake.wake();
        }
    }

    /// Calls `watch` with the descriptor of the input, if it has one.
    pub fn with_fd<T>(&self, watch: impl FnOnce(BorrowedFd<'_>) -> T) -> Option<T> {
        self.shared.borrow().input.fd().map(watch)
    }
}

#[cfg(test)]
mod tests {
    use super::super::args::ArgumentSource;
    use super::*;

    fn text(payload: &Payload) -> String {
        String::from_utf8_lossy(&payload.block[payload.range.clone()]).into_owned()
    }

    fn item(source: &mut dyn Source) -> String {
        match source.next(9) {
            Ok(Delivery::Items(payload)) => text(&payload),
            Ok(Delivery::Idle) => "idle".to_owned(),
            Ok(Delivery::Ended) => "ended".to_owned(),
            Ok(Delivery::Rejected(reason)) => reason.to_string(),
            Err(error) => error.to_string(),
        }
    }

    fn block(supply: &BlockSupply) -> String {
        match supply.next() {
            NextBlock::Block(payload) => text(&payload),
            NextBlock::Nothing { .. } => "nothing".to_owned(),
            NextBlock::Ended => "ended".to_owned(),
        }
    }

    fn blocks(blocks: &[&str], commands: u32) -> (Box<dyn Source>, BlockSupply) {
        spread(Box::new(ArgumentSource::new(blocks.iter().map(Into::into).collect())), commands).unwrap()
    }

    #[test]
    fn the_first_blocks_are_items_and_the_items_end_with_the_input() {
        let (mut source, supply) = blocks(&["a", "b", "c", "d"], 2);
        assert_eq!((item(&mut *source), block(&supply)), ("a".into(), "nothing".into()));
        assert_eq!((item(&mut *source), supply.has_begun()), ("b".into(), true));
        assert_eq!((item(&mut *source), block(&supply), block(&supply)), ("idle".into(), "c".into(), "d".into()));
        assert_eq!(
            (item(&mut *source), block(&supply), item(&mut *source)),
            ("idle".into(), "ended".into(), "ended".into())
        );
    }

    #[test]
    fn an_input_of_few_blocks_has_no_more_items() {
        let (mut source, supply) = blocks(&["a"], 2);
        assert_eq!((item(&mut *source), item(&mut *source)), ("a".into(), "ended".into()));
        assert!(supply.is_over() && block(&supply) == "ended");
    }

    #[test]
    fn what_nobody_reads_is_a_lost_source() {
        let (mut source, supply) = blocks(&["a", "b"], 1);
        item(&mut *source);
        supply.end(Some(SourceError::NoReader));
        supply.end(None);
        assert_eq!(item(&mut *source), SourceError::NoReader.to_string());
        assert_eq!(item(&mut *source), "ended");
    }
}
