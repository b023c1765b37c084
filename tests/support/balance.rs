//! Whether the events of a run balance: each item has the attempts 1, 2, 3 and so on, none left out and none twice, and
//! one outcome. An item that came back uncharged begins the same attempt again.

use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Default)]
struct Item {
    /// Attempts that are over.
    over: u64,
    /// The present attempt was reported as started.
    started: bool,
    settled: bool,
}

impl Item {
    fn take(&mut self, event: &Value) -> Result<(), &'static str> {
        let attempt = event["attempt"].as_u64().unwrap_or(0);
        if self.settled {
            return Err("the item was settled before");
        }
        match event["event"].as_str().unwrap() {
            "item_started" => {
                hold(!self.started, "it was started before")?;
                hold(attempt == self.over + 1, "another attempt is due")?;
                self.started = true;
            }
            "item_returned" => {
                hold(attempt == self.over + 1, "another attempt is due")?;
                hold(event["running"] != true || self.started, "it was not started")?;
                self.started = false;
            }
            "item_retried" => {
                hold(attempt == self.over + 2, "another attempt is due")?;
                self.ends(&event["cause"])?;
            }
            "item_settled" => {
                let causes = event["causes"].as_array().map_or(&[][..], Vec::as_slice);
                match causes.last().filter(|last| last["attempt"].as_u64() == Some(self.over + 1)) {
                    Some(last) => self.ends(last)?,
                    None if event["outcome"] == "done" => self.over += 1,
                    None => {}
                }
                hold(attempt == self.over, "another number of attempts was made")?;
                self.settled = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// An attempt did not succeed. Without a process it never began.
    fn ends(&mut self, cause: &Value) -> Result<(), &'static str> {
        hold(self.started || cause["pid"].is_null(), "its start was not reported")?;
        self.over += 1;
        self.started = false;
        Ok(())
    }
}

fn hold(holds: bool, else_error: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(else_error) }
}

/// Panics at the first event of an item that does not fit those before it.
pub fn check(events: &[Value]) {
    let mut items = BTreeMap::<u64, Item>::new();
    for event in events.iter().filter(|event| event["event"].as_str().is_some_and(|name| name.starts_with("item_"))) {
        let id = event["item"].as_u64().unwrap();
        if let Err(why) = items.entry(id).or_default().take(event) {
            let of_item: Vec<_> = events.iter().filter(|other| other["item"].as_u64() == Some(id)).collect();
            panic!("{event}: {why}; all events of this item: {of_item:#?}");
        }
    }
    if events.last().is_some_and(|last| last["event"] == "run_finished") {
        let open = items.iter().find(|(_, item)| !item.settled);
        assert!(open.is_none(), "item {} has no outcome", open.unwrap().0);
    }
}
