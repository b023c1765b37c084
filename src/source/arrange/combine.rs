//! All combinations of the values of several inputs, one after the other; the last input varies fastest.
//!
//! Linked inputs count as one: their values go together one by one, as many as the shortest has; where inputs recycle, as
//! many as the longest has. An input without values has one without bytes, unless no input has any.
//!
//! Invariant: a value is read when the first combination needs it. Of the first input, and so of a single one, only what is
//! needed is kept unless it may begin again; of the others, their values, and never a combination.

use super::super::{FailReason, SourceError};
use super::permutation::Permutation;
use super::values::{InputValue, ValueReader};

/// After this many values without a combination a step ends, so that the loop can do its other work.
const VALUES_MAX: u32 = 1 << 14;

/// The values of one input that were read, one behind the other.
#[derive(Default)]
struct KeptValues {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Values before these, which are forgotten.
    forgotten: u64,
}

impl KeptValues {
    fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.ends.push(self.bytes.len());
    }

    /// How many have been read.
    fn count(&self) -> u64 {
        self.forgotten + self.ends.len() as u64
    }

    /// A value that was read and is not forgotten.
    fn get(&self, index: u64) -> &[u8] {
        let Some(place) = index.checked_sub(self.forgotten).map(|place| place as usize) else { return b"" };
        let Some(&end) = self.ends.get(place) else { return b"" };
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..end]
    }

    /// Forgets all values before this one.
    fn forget_before(&mut self, index: u64) {
        let count = (index.saturating_sub(self.forgotten) as usize).min(self.ends.len());
        let bytes = count.checked_sub(1).map_or(0, |last| self.ends[last]);
        self.bytes.drain(..bytes);
        self.ends.drain(..count);
        self.ends.iter_mut().for_each(|end| *end -= bytes);
        self.forgotten += count as u64;
    }
}

/// What a step to the next combination led to.
#[derive(Debug)]
pub enum CombinationStep {
    There,
    /// A value cannot be processed; the next step goes on behind it.
    Rejected(FailReason),
    /// The input of this number has to be waited for.
    Idle(usize),
    /// Much was read that is no value: step again, later.
    Again,
    Ended,
}

/// Why there is no next combination now.
enum Hindrance {
    Rejected(FailReason),
    /// The input of this number in its group.
    Idle(usize),
    Again,
    Lost(SourceError),
}

/// One input with what is known of it.
struct CombinedInput {
    reader: ValueReader,
    kept: KeptValues,
    ended: bool,
}

/// Inputs that are linked, or one.
struct LinkGroup {
    inputs: Vec<CombinedInput>,
    /// The value of each that the present combination has.
    at: u64,
    /// An input that has ended begins again.
    recycles: bool,
}

impl LinkGroup {
    /// How many values the group has that are known.
    fn count(&self) -> u64 {
        let counts = self.inputs.iter().map(|input| input.kept.count());
        if self.recycles { counts.max() } else { counts.min() }.unwrap_or(0)
    }

    /// Whether it is known if the group has a value at a place.
    fn is_known(&self, place: u64) -> bool {
        let mut inputs = self.inputs.iter();
        let has_ended = |input: &CombinedInput| input.ended && input.kept.count() <= place;
        let is_read = |input: &CombinedInput| input.ended || input.kept.count() > place;
        inputs.clone().all(is_read) || (!self.recycles && inputs.any(has_ended))
    }

    /// The values of the present combination.
    fn values(&self) -> impl Iterator<Item = &[u8]> {
        self.inputs.iter().map(|input| {
            let at = if self.recycles { self.at % input.kept.count().max(1) } else { self.at };
            input.kept.get(at)
        })
    }

    /// Reads until the group has a value at a place, or has ended: `false`.
    fn reach(&mut self, place: u64) -> Result<bool, Hindrance> {
        let mut read = 0;
        while !self.is_known(place) {
            if read >= VALUES_MAX {
                return Err(Hindrance::Again);
            }
            read += 1;
            for (index, input) in self.inputs.iter_mut().enumerate() {
                if input.ended || input.kept.count() > place {
                    continue;
                }
                match input.reader.next().map_err(Hindrance::Lost)? {
                    InputValue::There(value) => input.kept.push(&value),
                    InputValue::Rejected(reason) => return Err(Hindrance::Rejected(reason)),
                    InputValue::Idle => return Err(Hindrance::Idle(index)),
                    InputValue::Again => return Err(Hindrance::Again),
                    InputValue::Ended => input.ended = true,
                }
            }
        }
        Ok(place < self.count())
    }
}

/// The combinations of all inputs.
pub struct Combinations {
    groups: Vec<LinkGroup>,
    is_begun: bool,
    /// The seed of an order by chance.
    shuffles: Option<u64>,
    shuffled: Option<Shuffled>,
    ended: bool,
}

/// The order of combinations that are all known.
struct Shuffled {
    permutation: Permutation,
    next: u64,
    count: u64,
}

impl Combinations {
    /// Each input with whether it is linked to the one before it; all are where inputs recycle.
    #[must_use]
    pub fn new(readers: Vec<(ValueReader, bool)>, recycles: bool, shuffles: Option<u64>) -> Self {
        let mut groups: Vec<LinkGroup> = Vec::new();
        for (reader, linked) in readers {
            let input = CombinedInput { reader, kept: KeptValues::default(), ended: false };
            match groups.last_mut() {
                Some(group) if linked || recycles => group.inputs.push(input),
                _ => groups.push(LinkGroup { inputs: vec![input], at: 0, recycles }),
            }
        }
        Self { groups, is_begun: false, shuffles, shuffled: None, ended: false }
    }

    /// The inputs, in their order.
    pub fn readers(&self) -> impl Iterator<Item = &ValueReader> {
        self.groups.iter().flat_map(|group| &group.inputs).map(|input| &input.reader)
    }

    /// Goes on to the next combination, which [`Self::values`] then has.
    ///
    /// # Errors
    /// An input is lost.
    pub fn step(&mut self) -> Result<CombinationStep, SourceError> {
        let mut group = 0;
        Ok(match self.advance(&mut group) {
            Ok(true) => CombinationStep::There,
            Ok(false) => {
                self.ended = true;
                CombinationStep::Ended
            }
            Err(Hindrance::Idle(input)) => {
                let before: usize = self.groups[..group].iter().map(|group| group.inputs.len()).sum();
                CombinationStep::Idle(before + input)
            }
            Err(Hindrance::Again) => CombinationStep::Again,
            Err(Hindrance::Rejected(reason)) => CombinationStep::Rejected(reason),
            Err(Hindrance::Lost(error)) => return Err(error),
        })
    }

    /// `false`: there are no more. `group` is the one that is read meanwhile. What was read so far is kept, so that the
    /// call is repeated after an error.
    fn advance(&mut self, group: &mut usize) -> Result<bool, Hindrance> {
        if self.ended {
            return Ok(false);
        }
        if !self.is_begun {
            self.begin(group)?;
            return Ok(!self.ended);
        }
        if let Some(shuffled) = &mut self.shuffled {
            if shuffled.next == shuffled.count {
                return Ok(false);
            }
            let place = shuffled.permutation.at(shuffled.next);
            shuffled.next += 1;
            self.go_to(place);
            return Ok(true);
        }
        for index in (0..self.groups.len()).rev() {
            *group = index;
            let place = self.groups[index].at + 1;
            if self.groups[index].reach(place)? {
                self.groups[index].at = place;
                if index == 0 && !self.groups[0].recycles {
                    self.groups[0].inputs.iter_mut().for_each(|input| input.kept.forget_before(place));
                }
                self.groups[index + 1..].iter_mut().for_each(|group| group.at = 0);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads what the first combination needs: the first values, or for an order by chance all of them.
    fn begin(&mut self, group: &mut usize) -> Result<(), Hindrance> {
        let until = if self.shuffles.is_some() { u64::MAX } else { 0 };
        for (index, own) in self.groups.iter_mut().enumerate() {
            *group = index;
            own.reach(until)?;
        }
        self.is_begun = true;
        let mut inputs = self.groups.iter_mut().flat_map(|group| &mut group.inputs);
        if inputs.all(|input| input.kept.count() == 0) {
            self.ended = true;
            return Ok(());
        }
        for input in self.groups.iter_mut().flat_map(|group| &mut group.inputs).filter(|input| input.kept.count() == 0)
        {
            input.kept.push(b"");
        }
        if let Some(seed) = self.shuffles {
            let mut counts = self.groups.iter().map(LinkGroup::count);
            let count = counts.try_fold(1_u64, u64::checked_mul);
            let count = count.filter(|count| *count <= Permutation::COUNT_MAX);
            let count = count.ok_or(Hindrance::Lost(SourceError::Shuffle))?;
            self.shuffled = Some(Shuffled { permutation: Permutation::new(count, seed), next: 0, count });
            // There is at least one.
            self.advance(group)?;
        }
        Ok(())
    }

    fn go_to(&mut self, place: u64) {
        let mut rest = place;
        for group in self.groups.iter_mut().rev() {
            let count = group.count().max(1);
            group.at = rest % count;
            rest /= count;
        }
    }

    /// The values of the present combination, in the order of the inputs.
    pub fn values(&self) -> impl Iterator<Item = &[u8]> {
        self.groups.iter().flat_map(LinkGroup::values)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::args::ArgumentSource;
    use super::*;
    use crate::model::arrangement::Arrangement;

    /// Inputs are separated by `/`, a `+` in front links one, a `*` in front of all lets them recycle; values are separated by
    /// blanks.
    fn combinations(inputs: &str, shuffles: Option<u64>) -> Combinations {
        let recycles = inputs.starts_with('*');
        let readers = inputs.trim_start_matches('*').split('/').map(|input| {
            let values = input.trim_start_matches('+').split_whitespace().map(std::ffi::OsString::from).collect();
            let source = Box::new(ArgumentSource::new(values));
            (ValueReader::new(source, &Arrangement::default(), false), input.starts_with('+'))
        });
        Combinations::new(readers.collect(), recycles, shuffles)
    }

    fn all(inputs: &str, shuffles: Option<u64>) -> Vec<String> {
        let mut combinations = combinations(inputs, shuffles);
        let mut found = Vec::new();
        loop {
            match combinations.step().unwrap() {
                CombinationStep::There => {
                    found.push(combinations.values().map(String::from_utf8_lossy).collect::<Vec<_>>().join(" "));
                }
                CombinationStep::Again => {}
                _ => break,
            }
        }
        assert!(matches!(combinations.step(), Ok(CombinationStep::Ended)));
        found
    }

    #[test]
    fn all_combinations_come_and_the_last_input_varies_fastest() {
        for (inputs, expected) in [
            ("a b", "a,b"),
            ("a b/1 2", "a 1,a 2,b 1,b 2"),
            ("a b/1/x y", "a 1 x,a 1 y,b 1 x,b 1 y"),
            ("a b c/+1 2 3", "a 1,b 2,c 3"),
            // The shortest of linked inputs ends them.
            ("a b c/+1 2/x y", "a 1 x,a 1 y,b 2 x,b 2 y"),
            ("a b/1 2 3/+x y", "a 1 x,a 2 y,b 1 x,b 2 y"),
            ("a b/+1 2/+x y z", "a 1 x,b 2 y"),
            // The first is linked to nothing.
            ("+a b", "a,b"),
            // Without values an input has an empty one, as in GNU parallel.
            ("/a b", " a, b"),
            ("a b/", "a ,b "),
            ("a b/+", "a "),
        ] {
            assert_eq!(all(inputs, None).join(","), expected, "{inputs}");
        }
        for inputs in ["", "/", "/+/"] {
            assert!(all(inputs, None).is_empty(), "{inputs}");
        }
    }

    /// The expected texts are those of `parallel --link`, 20221122, which fails at an input without values.
    #[test]
    fn an_input_that_has_ended_begins_again() {
        for (inputs, expected) in [
            ("*a b c/1 2", "a 1,b 2,c 1"),
            ("*a/1 2 3", "a 1,a 2,a 3"),
            ("*a b/+1 2 3/w x y z", "a 1 w,b 2 x,a 3 y,b 1 z"),
            ("*a b c", "a,b,c"),
            ("*/1 2", " 1, 2"),
            ("*/", ""),
        ] {
            assert_eq!(all(inputs, None).join(","), expected, "{inputs}");
        }
        let mut shuffled = all("*a b c/1 2", Some(5));
        shuffled.sort();
        assert_eq!(shuffled, ["a 1", "b 2", "c 1"]);
    }

    #[test]
    fn a_shuffled_order_has_each_combination_once() {
        let plain = all("a b c d/1 2 3/+x y z/p q r", None);
        let shuffled = all("a b c d/1 2 3/+x y z/p q r", Some(5));
        let mut sorted = shuffled.clone();
        sorted.sort();
        assert_eq!(sorted, plain);
        assert_ne!(shuffled, plain);
        assert_eq!(shuffled, all("a b c d/1 2 3/+x y z/p q r", Some(5)));
        assert_ne!(shuffled, all("a b c d/1 2 3/+x y z/p q r", Some(6)));
        assert_eq!(all("", Some(1)).len(), 0);
        assert_eq!(all("a/", Some(1)), ["a "]);
    }

    #[test]
    fn to_read_everything_takes_several_steps() {
        let many: Vec<String> = (0..3 * VALUES_MAX).map(|number| number.to_string()).collect();
        let mut combinations = combinations(&many.join(" "), Some(1));
        for _ in 0..3 {
            assert!(matches!(combinations.step(), Ok(CombinationStep::Again)));
        }
        assert!(matches!(combinations.step(), Ok(CombinationStep::There)));
        assert_eq!(all(&many.join(" "), Some(1)).len(), many.len());
    }

    #[test]
    fn values_are_kept_and_combinations_are_not() {
        let thousand: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        let thousand = thousand.join(" ");
        let mut combinations = combinations(&format!("{thousand}/{thousand}/{thousand}"), None);
        for _ in 0..3_000_000 {
            assert!(matches!(combinations.step(), Ok(CombinationStep::There)));
        }
        assert_eq!(combinations.values().collect::<Vec<_>>(), [&b"2"[..], b"999", b"999"]);
        let kept: Vec<usize> = combinations.groups.iter().map(|group| group.inputs[0].kept.ends.len()).collect();
        assert_eq!(kept, [1, 1000, 1000]);
    }
}
