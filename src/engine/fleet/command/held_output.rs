//! What is said of a command that has ended while another process held its output open.

use crate::command::exec::Execution;
use crate::model::ids::ItemId;
use crate::model::time::Duration;
use crate::model::words;
use crate::sys::group_members::{self, GroupMember};

/// Nothing is said of a shorter time, which delays nothing that a person would notice.
const SAID_MIN: Duration = Duration::from_millis(100);

/// The time is said in steps of this.
const STEP: Duration = Duration::from_millis(10);

/// Most processes that are named.
const NAMED_MAX: usize = 3;

/// The line for stderr. `held`: how long the end of the output was awaited. Call it before the command's group is
/// signalled. It names the holders only where they are ended: to find them takes a look at all processes.
pub fn notice(execution: &Execution, id: ItemId, item: &[u8], held: Duration) -> Option<String> {
    if held < SAID_MIN {
        return None;
    }
    let shown = words::shown_item(item);
    let item = words::item_of(id, shown.as_deref());
    let held = words::seconds(Duration(held.0 / STEP.0 * STEP.0));
    let start = format!("supervisor: {item}: its output was held open for {held} after its exit by a");
    let is_complete = execution.stdout.is_none() && execution.stderr.is_none();
    if is_complete {
        return Some(format!("{start} background process"));
    }
    let holders = group_members::running(execution.process.pid, NAMED_MAX);
    let named: Vec<String> = holders.iter().map(|GroupMember { pid, name }| format!("pid {pid}, {name}")).collect();
    Some(if named.is_empty() {
        format!("{start} process outside of its process group; what that one still writes is not read")
    } else {
        format!("{start} background process ({}), which is ended", named.join("; "))
    })
}
