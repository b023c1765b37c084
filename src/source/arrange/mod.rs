//! Items that are more than the lines of one input: columns, combinations of several inputs, lists of arguments, an order
//! by chance.
//!
//! `values` reads the inputs, `combine` makes records of their values, `columns` cuts them, and `pack` puts several into one
//! item. A list of arguments is delivered alone, since its arguments are ended by NUL.
//!
//! Invariant: nothing is read before it is demanded. Memory is that of the inputs' values, never that of the combinations.

mod columns;
mod combine;
mod pack;
mod permutation;
mod values;

pub use pack::LineMeter;

use super::splitter::{over_the_limit, too_long};
use super::{BATCH_BYTES_MAX, Delivery, FailReason, Payload, Source, SourceError};
use crate::model::arrangement::{Arrangement, ColumnName, ColumnNames, ItemForm, NameSource};
use crate::model::spec::ITEM_BYTES_MAX;
use crate::sys::poller::{Added, Interest, Poller};
use crate::sys::wake_fd::WakeFd;
use columns::ColumnCutter;
use combine::{CombinationStep, Combinations};
use pack::{ListPacker, PackedList};
use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use values::ValueReader;

const NUL: u8 = 0;

/// After this many records without an item `next` returns, so that the loop can do its other work.
const RECORDS_MAX: u32 = 1 << 14;

/// What an arrangement has to know of the run.
#[derive(Default)]
pub struct ArrangementFacts {
    /// Worker slots, over which the last list is spread.
    pub slots: u32,
    /// The seed of an order by chance.
    pub seed: u64,
    /// Measures the command line of a list; `None`: it may have any length.
    pub meter: Option<LineMeter>,
    /// Where the names of columns become known.
    pub names: ColumnNames,
}

/// An input that is opened.
pub struct OpenedInput {
    pub source: Box<dyn Source>,
    /// Linked to the input before it.
    pub linked: bool,
    /// The path of a file, by which its values may be named.
    pub path: Option<Vec<u8>>,
}

/// What the inputs become.
pub struct ArrangedSource {
    combinations: Combinations,
    columns: Option<ColumnCutter>,
    names: Option<PendingNames>,
    form: ItemForm,
    packer: ListPacker,
    /// What is delivered before anything else is read.
    ready: VecDeque<Delivery>,
    /// An item that did not fit into the batch before it.
    held: Option<Vec<u8>>,
    delimiter: u8,
    record: Vec<u8>,
    waiting: Option<InputWait>,
    ended: bool,
}

/// Names that are told once the first line of each input has been read.
struct PendingNames {
    from: NameSource,
    paths: Vec<Option<Vec<u8>>>,
    names: ColumnNames,
}

/// Makes one descriptor of those of all inputs: readable if the one that is awaited is.
struct InputWait {
    poller: Poller,
    /// Always readable: it is in the set while something is to be done at once.
    again: WakeFd,
    awaited: Option<AwaitedInput>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum AwaitedInput {
    Input(usize),
    Again,
}

impl ArrangedSource {
    /// # Errors
    /// A regular expression is none, or the system is short of descriptors.
    pub fn new(
        inputs: Vec<OpenedInput>,
        arrangement: &Arrangement,
        form: ItemForm,
        facts: ArrangementFacts,
    ) -> Result<Self, SourceError> {
        let columns = arrangement.columns.as_ref().map(ColumnCutter::new).transpose()?;
        // The items of one input hold no delimiter of it; those of several may hold any byte.
        let delimiter = if let [input] = inputs.as_slice() { input.source.delimiter() } else { NUL };
        let waits = inputs.iter().any(|input| input.source.fd().is_some());
        let waiting = if waits { Some(InputWait::new().map_err(SourceError::Wait)?) } else { None };
        let paths = inputs.iter().map(|input| input.path.clone()).collect();
        let names = arrangement.names.map(|from| PendingNames { from, paths, names: facts.names });
        let has_names = arrangement.names == Some(NameSource::FirstLine);
        let reader = |input: OpenedInput| (ValueReader::new(input.source, arrangement, has_names), input.linked);
        let readers = inputs.into_iter().map(reader).collect();
        Ok(Self {
            combinations: Combinations::new(readers, arrangement.recycles, arrangement.shuffles.then_some(facts.seed)),
            columns,
            names,
            form,
            packer: ListPacker::new(arrangement, facts.slots, facts.meter),
            ready: VecDeque::new(),
            held: None,
            delimiter,
            record: Vec::new(),
            waiting,
            ended: false,
        })
    }

    /// The next record is in `self.record`: for lists its arguments, each followed by a NUL; otherwise its values, joined by
    /// spaces. `None`: there is none now, for the reason that is returned.
    fn step(&mut self) -> Result<Option<Delivery>, SourceError> {
        let stopped = match self.combinations.step()? {
            CombinationStep::There => {
                if let Some(names) = self.names.take() {
                    names.tell(&self.combinations, self.columns.as_ref());
                }
                return Ok(self.put_record().map(Delivery::Rejected));
            }
            CombinationStep::Rejected(reason) => Delivery::Rejected(reason),
            CombinationStep::Ended => Delivery::Ended,
            CombinationStep::Idle(input) => self.wait_for(AwaitedInput::Input(input))?,
            CombinationStep::Again => self.wait_for(AwaitedInput::Again)?,
        };
        Ok(Some(stopped))
    }

    fn put_record(&mut self) -> Option<FailReason> {
        self.record.clear();
        let record = &mut self.record;
        let mut arguments = 0;
        for (index, value) in self.combinations.values().enumerate() {
            if self.form == ItemForm::Whole {
                if index > 0 {
                    record.push(b' ');
                }
                record.extend_from_slice(value);
                continue;
            }
            let mut add = |argument: &[u8]| {
                record.extend_from_slice(argument);
                record.push(NUL);
                arguments += 1;
            };
            match &self.columns {
                Some(columns) => columns.cut(value, add),
                None => add(value),
            }
        }
        let is_list = self.form == ItemForm::List;
        if is_list && memchr::memchr_iter(NUL, &self.record).count() > arguments {
            return Some(FailReason::Rejected("item holds a NUL byte, which no argument can".to_owned()));
        }
        (self.record.len() > ITEM_BYTES_MAX).then(over_the_limit)
    }

    fn next_list(&mut self) -> Result<Delivery, SourceError> {
        for _ in 0..RECORDS_MAX {
            if let Some(delivery) = self.ready.pop_front() {
                return Ok(delivery);
            }
            if self.ended {
                return Ok(Delivery::Ended);
            }
            match self.step()? {
                None => {
                    let packed = self.packer.push(&self.record);
                    self.ready.extend(packed.full.map(list_item));
                    if packed.is_too_long {
                        let text =
                            "the command line is too long with this item alone; --max-chars and the system limit it";
                        self.ready.push_back(Delivery::Rejected(FailReason::Rejected(text.to_owned())));
                    }
                }
                Some(Delivery::Ended) => {
                    self.ended = true;
                    self.ready.extend(self.packer.finish().into_iter().map(list_item));
                }
                Some(other) => return Ok(other),
            }
        }
        self.wait_for(AwaitedInput::Again)
    }

    /// Items that are no lists, as many as fit into a batch.
    fn next_batch(&mut self, items_max: u64) -> Result<Delivery, SourceError> {
        let (mut block, mut count) = (Vec::new(), 0_u32);
        let mut is_delimited = true;
        while u64::from(count) < items_max.min(u64::from(u32::MAX)) && is_delimited {
            let item = match self.held.take() {
                Some(item) => item,
                None => match self.step()? {
                    None => self.record.clone(),
                    Some(stopped) if count == 0 => return Ok(stopped),
                    Some(stopped @ Delivery::Rejected(_)) => {
                        self.ready.push_back(stopped);
                        break;
                    }
                    // The next call finds the same.
                    Some(_) => break,
                },
            };
            is_delimited = memchr::memchr(self.delimiter, &item).is_none();
            if count > 0 && (!is_delimited || block.len() + item.len() + 2 > BATCH_BYTES_MAX) {
                self.held = Some(item);
                break;
            }
            block.extend_from_slice(&item);
            block.push(self.delimiter);
            count += 1;
        }
        if count == 1 {
            block.pop();
        }
        let range = 0..block.len();
        Ok(Delivery::Items(Payload { block: Arc::new(block.into()), range, count, priority: 0 }))
    }

    fn wait_for(&mut self, awaited: AwaitedInput) -> Result<Delivery, SourceError> {
        if let Some(waiting) = &mut self.waiting {
            waiting.wait_for(awaited, &self.combinations).map_err(SourceError::Wait)?;
        }
        Ok(Delivery::Idle)
    }
}

fn list_item(list: PackedList) -> Delivery {
    if list.bytes.len() > ITEM_BYTES_MAX {
        return too_long();
    }
    let range = 0..list.bytes.len();
    Delivery::Items(Payload { block: Arc::new(list.bytes.into()), range, count: 1, priority: 0 })
}

impl PendingNames {
    /// Columns are counted over all inputs. Values of an input without columns are named by its path, too.
    fn tell(self, combinations: &Combinations, columns: Option<&ColumnCutter>) {
        let mut names = Vec::new();
        if self.from == NameSource::FirstLine {
            let lines = combinations.readers().filter_map(ValueReader::names);
            let of_line = |line: &[u8]| columns.map_or_else(|| vec![line.to_vec()], |columns| columns.names(line));
            names.extend(lines.flat_map(of_line).zip(1..));
        }
        let paths = self.paths.into_iter().zip(1..).filter_map(|(path, number)| Some((path?, number)));
        names.extend(paths);
        names.retain(|(name, _): &ColumnName| !name.is_empty());
        self.names.set(names);
    }
}

impl InputWait {
    fn new() -> std::io::Result<Self> {
        let again = WakeFd::new()?;
        again.wake();
        Ok(Self { poller: Poller::new()?, again, awaited: None })
    }

    fn wait_for(&mut self, awaited: AwaitedInput, combinations: &Combinations) -> std::io::Result<()> {
        if self.awaited == Some(awaited) {
            return Ok(());
        }
        let fd = |input| combinations.readers().nth(input).and_then(|reader| reader.source().fd());
        match self.awaited.take() {
            Some(AwaitedInput::Input(input)) => fd(input).map_or(Ok(()), |fd| self.poller.remove(fd))?,
            Some(AwaitedInput::Again) => self.poller.remove(&self.again)?,
            None => {}
        }
        // An input without a descriptor, or one that cannot be watched, is always ready.
        let watched = match awaited {
            AwaitedInput::Input(input) => fd(input).map(|fd| self.poller.add(fd, Interest::READ, 0)).transpose()?,
            AwaitedInput::Again => None,
        };
        self.awaited = Some(if watched == Some(Added::Watched) {
            awaited
        } else {
            self.poller.add(&self.again, Interest::READ, 0)?;
            AwaitedInput::Again
        });
        Ok(())
    }
}

impl Source for ArrangedSource {
    fn next(&mut self, items_max: u64) -> Result<Delivery, SourceError> {
        if self.form == ItemForm::List {
            return self.next_list();
        }
        match self.ready.pop_front() {
            Some(delivery) => Ok(delivery),
            None => self.next_batch(items_max),
        }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.waiting.as_ref().map(|waiting| waiting.poller.as_fd())
    }

    fn delimiter(&self) -> u8 {
        self.delimiter
    }

    fn mapped_file(&self) -> Option<&Arc<File>> {
        None
    }
}

#[cfg(test)]
mod tests;
