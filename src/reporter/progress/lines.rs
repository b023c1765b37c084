//! The state of a run as one line: for people, and as JSON.

use super::{Glance, parts};
use serde::Serialize;

/// `supervisor: 118/500 done, 2 failed, 8 running, 12.3/s, 31s left`, ended.
#[must_use]
pub fn plain_line(glance: &Glance) -> String {
    let parts: Vec<String> = parts(glance).into_iter().map(|(_, part)| part).collect();
    format!("supervisor: {}\n", parts.join(", "))
}

/// The fields in the order in which they are written.
#[derive(Serialize)]
struct ProgressObject {
    t: f64,
    done: u64,
    failed: u64,
    dead: u64,
    skipped: u64,
    running: u64,
    queued: u64,
    total: Option<u64>,
    rate: Option<f64>,
    eta_seconds: Option<f64>,
}

/// One JSON object, ended with a newline. Times are seconds to the millisecond.
#[must_use]
pub fn json_line(glance: &Glance) -> String {
    let rounded = |number: f64| (number * 1000.0).round() / 1000.0;
    let object = ProgressObject {
        t: rounded(glance.elapsed.as_secs_f64()),
        done: glance.done,
        failed: glance.failed,
        dead: glance.dead,
        skipped: glance.skipped,
        running: glance.running,
        queued: glance.queued,
        total: glance.total,
        rate: glance.rate.map(rounded),
        eta_seconds: glance.left.map(|left| rounded(left.as_secs_f64())),
    };
    // Numbers alone: it cannot fail.
    let mut line = serde_json::to_string(&object).unwrap_or_default();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::super::bar::tests::glance;
    use super::*;

    #[test]
    fn a_line_has_what_is_known() {
        let shown = plain_line(&glance());
        assert_eq!(shown, "supervisor: 118/500 done, 2 failed, 8 running, 12.3/s, 31s left\n");
        let unknown = Glance { total: None, rate: None, left: None, failed: 0, dead: 1, skipped: 3, ..glance() };
        let shown = plain_line(&unknown);
        assert_eq!(shown, "supervisor: 118 done, 1 dead, 3 skipped, 8 running, time left unknown\n");
        let stopping = plain_line(&Glance { stopping: true, left: None, ..glance() });
        assert_eq!(stopping, "supervisor: 118/500 done, 2 failed, 8 running, 12.3/s, stopping\n");
    }

    #[test]
    fn json_has_every_field() {
        assert_eq!(
            json_line(&glance()),
            "{\"t\":9.756,\"done\":118,\"failed\":2,\"dead\":0,\"skipped\":0,\"running\":8,\"queued\":17,\"total\":500,\
             \"rate\":12.3,\"eta_seconds\":31.0}\n"
        );
        let unknown = Glance { total: None, rate: None, left: None, ..glance() };
        assert!(json_line(&unknown).ends_with("\"total\":null,\"rate\":null,\"eta_seconds\":null}\n"));
    }
}
